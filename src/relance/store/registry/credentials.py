"""Logins of registries. They are never printed, nor part of an address."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from relance.errors import InputError
from relance.store.registry.reference import DOCKER_HUB, Reference

_LARGEST_FILE = 1 << 20  # bytes
_HUB_KEYS = ("https://index.docker.io/v1/", "index.docker.io/v1", "index.docker.io", "registry-1.docker.io")


@dataclass(frozen=True)
class Credentials:
    """A login: user and password, or a token that stands for them.

    token: sent to the registry as it is. identity: exchanged for a token at the registry's token service.
    """

    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    token: str = field(default="", repr=False)
    identity: str = field(default="", repr=False)

    @property
    def basic(self) -> str:
        """The Authorization header of user and password; empty without them."""
        if not self.user and not self.password:
            return ""
        return "Basic " + base64.b64encode(f"{self.user}:{self.password}".encode()).decode()


@dataclass(frozen=True)
class Keyring:
    """Logins by `HOST`, or `HOST/PATH` for the repositories below a path; the longest that fits is taken."""

    logins: Mapping[str, Credentials] = field(default_factory=dict, repr=False)

    def of(self, reference: Reference) -> Credentials | None:
        """Return the login for a repository, if there is one."""
        key = reference.name
        while key:
            if key in self.logins:
                return self.logins[key]
            key = key.rpartition("/")[0]
        return None

    def preferring(self, others: Mapping[str, Credentials]) -> Keyring:
        """Return a keyring in which these logins come before its own."""
        return Keyring({**self.logins, **others})

    def without(self, host: str) -> Keyring:
        """Return a keyring that has no login for a registry, nor for paths in it."""
        return Keyring({key: login for key, login in self.logins.items() if key.partition("/")[0] != host})


def read_auth_file(path: Path) -> Keyring:
    """Read the logins that `podman login`, `skopeo login` or `docker login` wrote.

    Logins that a credential helper keeps are not in the file, and left out.

    Raises:
        InputError: the file can't be read; what stands in it is not told.
    """
    try:
        with path.open("rb") as stream:
            data = stream.read(_LARGEST_FILE + 1)
        value = json.loads(data) if len(data) <= _LARGEST_FILE else None
    except (OSError, ValueError, RecursionError) as error:
        found = error.strerror if isinstance(error, OSError) else None
        raise _unreadable(path, found or "no JSON") from None
    auths = value.get("auths", {}) if isinstance(value, dict) else None
    if not isinstance(auths, dict):
        raise _unreadable(path, "no mapping 'auths'")
    logins: dict[str, Credentials] = {}
    for key, entry in auths.items():
        login = _login(path, entry)
        if login is not None:
            logins[_key(key)] = login
    return Keyring(logins)


def _key(text: str) -> str:
    plain = text.removeprefix("https://").removeprefix("http://").rstrip("/")
    if text in _HUB_KEYS or plain in _HUB_KEYS:
        return DOCKER_HUB
    return plain


def _login(path: Path, entry: Any) -> Credentials | None:
    if not isinstance(entry, dict):
        raise _unreadable(path, "a login that is no mapping")
    identity = entry.get("identitytoken")
    if isinstance(identity, str) and identity:
        return Credentials(identity=identity)
    token = entry.get("registrytoken")
    if isinstance(token, str) and token:
        return Credentials(token=token)
    packed = entry.get("auth")
    if not isinstance(packed, str) or not packed:
        return None
    try:
        user, colon, password = base64.b64decode(packed, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        colon = ""
    if not colon:
        raise _unreadable(path, "a login that isn't USER:PASSWORD in base64")
    return Credentials(user, password.rstrip("\0"))


def _unreadable(path: Path, found: str) -> InputError:
    return InputError(
        f"{path} can't be read",
        expected="logins as 'podman login' writes them",
        found=found,
        next_step="log in again with 'podman login' or 'skopeo login', or remove the file",
    )
