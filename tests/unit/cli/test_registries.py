"""Logins from the environment and from the files of other tools."""

import base64
import json
from pathlib import Path

import pytest

from relance.cli import registries
from relance.errors import InputError
from relance.store.registry.credentials import Credentials
from relance.store.registry.reference import Reference

HOST = "registry.example.org"
LOGIN = {"RELANCE_REGISTRY_USER": "ada", "RELANCE_REGISTRY_PASSWORD": "s3cret"}


def login(environment: dict[str, str], home: Path, host: str = HOST, path: str = "x") -> Credentials | None:
    places = {"XDG_CONFIG_HOME": str(home / "config"), "DOCKER_CONFIG": str(home / "docker")}
    access = registries.access(places | environment, HOST, None)
    return access.keyring.of(Reference.parse(f"{host}/{path}"))


def auth_file(path: Path, key: str, user: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    packed = base64.b64encode(f"{user}:s3cret".encode()).decode()
    path.write_text(json.dumps({"auths": {key: {"auth": packed}}}))


def test_a_login_of_the_environment_is_for_the_registry_that_was_named_and_no_other(tmp_path):
    assert login(LOGIN, tmp_path) == Credentials("ada", "s3cret")
    assert login(LOGIN, tmp_path, "other.example.org") is None
    assert login(LOGIN | {"RELANCE_REGISTRY_HOST": "other.example.org"}, tmp_path) is None
    assert login(LOGIN | {"RELANCE_REGISTRY_HOST": HOST}, tmp_path) == Credentials("ada", "s3cret")
    assert login({"RELANCE_REGISTRY_TOKEN": "t0ken"}, tmp_path) == Credentials(token="t0ken")  # noqa: S106


def test_a_login_of_the_environment_comes_before_those_of_files(tmp_path):
    auth_file(tmp_path / "config/containers/auth.json", f"{HOST}/x", "file")
    assert login({}, tmp_path) == Credentials("file", "s3cret")
    assert login(LOGIN, tmp_path) == Credentials("ada", "s3cret")


def test_podman_s_logins_come_before_docker_s(tmp_path):
    auth_file(tmp_path / "docker/config.json", HOST, "docker")
    assert login({}, tmp_path) == Credentials("docker", "s3cret")
    auth_file(tmp_path / "config/containers/auth.json", HOST, "podman")
    assert login({}, tmp_path) == Credentials("podman", "s3cret")
    auth_file(tmp_path / "run/containers/auth.json", HOST, "session")
    assert login({"XDG_RUNTIME_DIR": str(tmp_path / "run")}, tmp_path) == Credentials("session", "s3cret")
    auth_file(tmp_path / "chosen.json", HOST, "chosen")
    assert login({"REGISTRY_AUTH_FILE": str(tmp_path / "chosen.json")}, tmp_path) == Credentials(
        "chosen", "s3cret"
    )


def test_half_a_login_is_refused(tmp_path):
    for name in LOGIN:
        with pytest.raises(InputError, match="set both"):
            login({name: "s3cret"}, tmp_path)
