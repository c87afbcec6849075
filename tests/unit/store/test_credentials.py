"""Logins: where they are found, for whom they are, and that nobody sees them."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relance.errors import InputError
from relance.store.registry import challenge
from relance.store.registry.credentials import Credentials, Keyring, read_auth_file
from relance.store.registry.reference import Reference


def packed(user: str, password: str) -> str:
    return base64.b64encode(f"{user}:{password}".encode()).decode()


def of(keyring: Keyring, text: str) -> Credentials | None:
    return keyring.of(Reference.parse(text))


def test_the_login_for_the_nearest_path_is_taken(tmp_path):
    auths = {
        "registry.example.org": {"auth": packed("all", "1")},
        "registry.example.org/atlas": {"auth": packed("atlas", "2:3")},
        "https://other.example.org/": {"auth": packed("other", "4")},
        "https://index.docker.io/v1/": {"auth": packed("hub", "5")},
        "helped.example.org": {},
        "identity.example.org": {"identitytoken": "abc", "auth": packed("x", "")},
    }
    (tmp_path / "auth.json").write_text(json.dumps({"auths": auths, "credHelpers": {"a.b": "secret"}}))
    keyring = read_auth_file(tmp_path / "auth.json")
    assert of(keyring, "registry.example.org/cms/x") == Credentials("all", "1")
    assert of(keyring, "registry.example.org/atlas/x/y") == Credentials("atlas", "2:3")
    assert of(keyring, "registry.example.org/atlasfast/x") == Credentials("all", "1")
    assert of(keyring, "other.example.org/x") == Credentials("other", "4")
    assert of(keyring, "docker.io/library/python") == Credentials("hub", "5")
    assert of(keyring, "helped.example.org/x") is None
    assert of(keyring, "example.org/x") is None
    assert of(keyring, "identity.example.org/x") == Credentials(identity="abc")


def test_no_login_is_shown():
    login = Credentials("ada", "s3cret", "t0ken", "1dentity")
    shown = repr(login) + str(login) + repr(Keyring({"registry.example.org": login}))
    assert not any(secret in shown for secret in ("ada", "s3cret", "t0ken", "1dentity"))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"auths": []}',
        '{"auths": {"x": 1}}',
        '{"auths": {"x": {"auth": "s3cret!"}}}',
        f'{{"auths": {{"x": {{"auth": "{base64.b64encode(b"s3cret").decode()}"}}}}}}',
        "s3cret: not json",
        "[" * 100_000,
    ],
)
def test_a_broken_file_of_logins_is_refused_without_telling_what_is_in_it(tmp_path, text):
    path = tmp_path / "auth.json"
    path.write_text(text)
    with pytest.raises(InputError, match="log in again") as caught:
        read_auth_file(path)
    assert "s3cret" not in str(caught.value)
    assert base64.b64encode(b"s3cret").decode() not in str(caught.value)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("", []),
        ("Basic", [("basic", {})]),
        ('Basic realm="a, b", charset=UTF-8', [("basic", {"realm": "a, b", "charset": "UTF-8"})]),
        (
            'Bearer realm="https://t/x?y=1",service="s",scope="repository:a/b:pull,push"',
            [
                (
                    "bearer",
                    {"realm": "https://t/x?y=1", "service": "s", "scope": "repository:a/b:pull,push"},
                )
            ],
        ),
        (
            'Negotiate, Basic realm="one \\"two\\"", BEARER Realm=https://t',
            [("negotiate", {}), ("basic", {"realm": 'one "two"'}), ("bearer", {"realm": "https://t"})],
        ),
        ("=,=,\"", []),
    ],
)  # fmt: skip
def test_every_way_that_a_header_offers_is_read(header, expected):
    found = [(way.scheme, dict(way.fields)) for way in challenge.parse(header)]
    assert found == expected


@given(st.text(max_size=200))
def test_any_header_is_read_to_an_end(header):
    for way in challenge.parse(header):
        assert way.scheme == way.scheme.lower()


def test_the_rights_that_the_registry_names_and_ours_are_asked_for_once():
    (way,) = challenge.parse('Bearer realm="https://t",service="s",scope="repository:a:pull"')
    assert way.question(["repository:a:pull", "repository:b:pull"]) == (
        ("service", "s"),
        ("scope", "repository:a:pull"),
        ("scope", "repository:b:pull"),
    )
