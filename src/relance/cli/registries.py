"""How the user reaches registries: logins from the environment and from what 'podman login' wrote."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from pathlib import Path

import click

from relance.errors import InputError
from relance.store.registry.credentials import Credentials, Keyring, read_auth_file
from relance.store.registry.session import Access


def _with_certificates(
    _context: click.Context, _parameter: click.Parameter, path: Path | None
) -> Path | None:
    """Refuse a file without certificates before any server is asked."""
    if path is not None:
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
        except OSError as error:
            raise InputError(
                f"--ca-file {path}",
                expected="certificates, as in a file with '-----BEGIN CERTIFICATE-----'",
                found="none" if isinstance(error, ssl.SSLError) else error.strerror or "no file",
                next_step="give the file of the authority that signed the server's certificate",
            ) from error
    return path


CA_FILE = click.option(
    "--ca-file",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    callback=_with_certificates,
    help="Certificates of the authorities to trust, in place of the system's.",
)
"""The option of every command that speaks with registries; it goes to `access`."""

_USER, _PASSWORD, _TOKEN, _HOST = (
    f"RELANCE_REGISTRY_{name}" for name in ("USER", "PASSWORD", "TOKEN", "HOST")
)


def access(environment: Mapping[str, str], host: str, ca_file: Path | None) -> Access:
    """Return how registries are reached; a login in the environment is for `host`, and no other.

    Where RELANCE_REGISTRY_HOST is set, it is for that host only.

    Raises:
        InputError: a login is incomplete, or a file of logins can't be read.
    """
    keyring = Keyring()
    for path in reversed(_auth_files(environment)):
        if path.is_file():
            keyring = keyring.preferring(read_auth_file(path).logins)
    login = _login(environment)
    if login is not None and environment.get(_HOST, host) == host:
        keyring = keyring.without(host).preferring({host: login})
    return Access(keyring, ca_file)


def _login(environment: Mapping[str, str]) -> Credentials | None:
    token = environment.get(_TOKEN, "")
    user, password = environment.get(_USER, ""), environment.get(_PASSWORD, "")
    if bool(user) != bool(password):
        raise InputError(
            "the login for the registry",
            expected=f"{_USER} and {_PASSWORD}",
            found=f"only {_USER if user else _PASSWORD}",
            next_step="set both, or neither",
        )
    if not token and not user:
        return None
    return Credentials(token=token) if token else Credentials(user, password)


def _auth_files(environment: Mapping[str, str]) -> tuple[Path, ...]:
    """Return where logins are kept, as containers-auth.json(5) says, then Docker's; the first counts most."""
    given = environment.get("REGISTRY_AUTH_FILE")
    if given:
        return (Path(given),)
    runtime = environment.get("XDG_RUNTIME_DIR")
    settings = environment.get("XDG_CONFIG_HOME")
    docker = environment.get("DOCKER_CONFIG")
    return (
        *((Path(runtime) / "containers" / "auth.json",) if runtime else ()),
        (Path(settings) if settings else Path.home() / ".config") / "containers" / "auth.json",
        (Path(docker) if docker else Path.home() / ".docker") / "config.json",
    )
