"""Secrets of every kind are found, their values never told, and what only resembles them is left alone."""

import base64
import hashlib
import io
import json
import os
import random
import string
import struct
import subprocess
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relance.checks import secrets
from relance.cli import places
from relance.store import images
from relance.store.descriptors import MANIFEST_TYPE, Descriptor
from relance.store.layout import Layout
from relance.store.store import Store

# Made up for these tests: assembled here, so that they stand in no file as a whole.
_CHANCE = random.Random(7)


def some(length: int, letters: str = string.ascii_letters + string.digits) -> str:
    """Return text that no two calls share; the first characters change between letters and digits."""
    return "a1B2c3"[: min(6, length)] + "".join(_CHANCE.choice(letters) for _ in range(length - 6))


def pem(kind: str) -> str:
    body = base64.encodebytes(bytes(_CHANCE.randrange(256) for _ in range(300))).decode()
    return f"-----BEGIN {kind}-----\n{body}-----END {kind}-----\n"


UPPER = string.ascii_uppercase + string.digits
JWT = ".".join(
    base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")
    for part in ({"alg": "HS256", "typ": "JWT"}, {"sub": "1234567890", "name": "nobody"}, {"x": some(20)})
)
LOGIN = base64.b64encode(f"somebody:{some(12)}".encode()).decode()
SECRETS = {
    "RSA key": pem("RSA PRIVATE " + "KEY"),
    "OpenSSH key": pem("OPENSSH PRIVATE " + "KEY"),
    "encrypted key": pem("ENCRYPTED PRIVATE " + "KEY"),
    "PGP key": pem("PGP PRIVATE " + "KEY BLOCK"),
    "key in JSON": json.dumps({"private_key": pem("PRIVATE " + "KEY")}),
    "X.509 proxy": pem("CERTIFICATE") + pem("RSA PRIVATE " + "KEY") + pem("CERTIFICATE"),
    "GitHub token": "ghp" + "_" + some(36),
    "fine-grained GitHub token": "github" + "_pat_" + some(22) + "_" + some(59),
    "GitLab token": "gl" + "pat-" + some(9) + "-" + some(10),
    "Slack token": "xo" + "xb-" + some(12, string.digits) + "-" + some(24),
    "PyPI token": "pypi-" + "AgE" + some(60),
    "Hugging Face token": "h" + "f_" + some(34),
    "npm token": "np" + "m_" + some(36),
    "Google key": "AI" + "za" + some(35),
    "AWS key": "AK" + "IA" + some(16, UPPER).upper(),
    "AWS secret": "aws_secret_access_" + "key = " + some(40),
    "JWT": f"REANA_ACCESS_TOKEN={JWT}",
    "Zenodo token": "export ZENODO_" + f"TOKEN={some(60)}",
    "token with dashes": "REANA_ACCESS_" + f"TOKEN={some(10)}-{some(11)}",
    "API key": "api_" + f"key: '{some(32)}'",
    "bearer": f"Authorization: Bearer {some(40)}",
    "password in YAML": "database:\n  pass" + f"word: '{some(9)}!'",
    "password in code": "PASS" + f"WD = \"{some(10)}\"",
    "password in a URL": f"git clone https://me:{some(9)}@example.org/x.git",
    "password of a command": "mysql --pass" + f"word {some(12)}",
    "netrc": "machine example.org login me pass" + f"word {some(9)}",
    "registry login": json.dumps({"auths": {"registry.example.org": {"au" + "th": LOGIN}}}),
    "PuTTY key": "Private-" + "Lines: 4\n" + some(64) + "\n",
}  # fmt: skip


@pytest.mark.parametrize("kind", SECRETS)
def test_a_secret_is_found_and_its_value_not_told(kind: str) -> None:
    text = f"first line\n{SECRETS[kind]}\nlast line\n"
    found = secrets.find_in_bytes(text.encode(), "some/file.txt")
    assert found, kind
    told = " ".join(map(str, found)) + repr(found)
    assert all(part not in told for part in SECRETS[kind].replace("\n", " ").split() if len(part) > 20)
    assert {finding.place for finding in found} == {"some/file.txt"}
    assert all(finding.line is not None and finding.line > 1 for finding in found)


@pytest.mark.parametrize("kind", SECRETS)
def test_a_secret_is_found_between_bytes_that_are_no_text(kind: str) -> None:
    noise = bytes(range(256)) * 4
    found = secrets.find_in_bytes(noise + b"\n" + SECRETS[kind].encode() + b"\n" + noise, "data.bin")
    assert found, kind
    assert {finding.line for finding in found} == {None}


INNOCENT = {
    "a placeholder": "pass" + "word: <your password>\ntoken: ${TOKEN}\nsecret: changeme123",
    "code that asks": "pass" + "word = getpass.getpass()\ntoken = os.environ['TOKEN']\nsecret = load(1)",
    "types and names": "def login(user: str, pass" + "word: str, token: Token1 = None): ...",
    "a word for a key": "secret" + "_name: 'db-credentials'\ntoken" + "_type: 'access_token'",
    "a mention of a key": "-----BEGIN RSA PRIVATE " + "KEY-----\n...\n-----END RSA PRIVATE " + "KEY-----",
    "a certificate": pem("CERTIFICATE") + pem("PUBLIC KEY"),
    "hashes": f"numpy==2.0 --hash=sha256:{hashlib.sha256(b'x').hexdigest()}\nkey: sha256:{'0f' * 32}",
    "a commit": f"commit {hashlib.sha1(b'x', usedforsecurity=False).hexdigest()}",
    "identifiers": "createTemporaryDirectoryForEverything2 = averyLongNameWithoutAnyDigits",
    "a URL with a port": "https://example.org:8080/a@b and http://user:pass" + "word@example.org",
    "an image with tag and digest": f"docker://busybox:1.36@sha256:{hashlib.sha256(b'x').hexdigest()}",
    "numbers": "\n".join(f"{n / 7:.15f}" for n in range(1000)),
    "base64 that is data": base64.encodebytes(bytes(range(256)) * 40).decode(),
    "physics": "certain tokens are secretly passed: uncertainty of the crest 0.25",
}


@pytest.mark.parametrize("kind", INNOCENT)
def test_what_only_resembles_a_secret_is_left_alone(kind: str) -> None:
    assert secrets.find_in_bytes(INNOCENT[kind].encode(), "config.yaml") == ()


@pytest.mark.parametrize(
    "name",
    [
        ".netrc", "home/me/.git-credentials", ".ssh/id_" + "ed25519", "me.keytab", "krb5cc_1000",
        "tmp/x509up_u1000", "bt_u1000", ".aws/credentials", ".kube/config", "usercred.p12", "keys.kdbx",
    ],
)  # fmt: skip
def test_a_file_is_found_by_its_name(name: str) -> None:
    assert secrets.find_in_bytes(b"anything", name)
    assert secrets.find_in_bytes(b"", name) == ()


@pytest.mark.parametrize("name", ["id_rsa.pub", "netrc.md", "config", "proxy.py", "src/keytab.py"])
def test_a_name_that_is_only_near_is_left_alone(name: str) -> None:
    assert secrets.find_in_bytes(b"anything", name) == ()


def test_kerberos_files_are_found_by_their_first_bytes() -> None:
    realm = b"EXAMPLE.ORG"
    keytab = b"\x05\x02" + struct.pack(">iHH", 80, 1, len(realm)) + realm + bytes(80)
    cache = b"\x05\x04\x00\x0c" + bytes(12) + struct.pack(">III", 1, 1, len(realm)) + realm + bytes(80)
    assert [item.kind for item in secrets.find_in_bytes(keytab, "a")] == ["Kerberos keytab"]
    assert [item.kind for item in secrets.find_in_bytes(cache, "a")] == ["Kerberos cache"]
    assert secrets.find_in_bytes(b"\x05\x02" + bytes(200), "a") == ()


def test_the_line_is_told(tmp_path: Path) -> None:
    text = "x\n" * 300_000 + SECRETS["GitHub token"] + "\n" + "y\n" * 100
    path = tmp_path / "long.txt"
    path.write_text(text)
    assert [finding.line for finding in secrets.find_in_file(path)] == [300_001]


@given(st.integers(min_value=0, max_value=9000), st.sampled_from(sorted(SECRETS)))
def test_a_secret_is_found_wherever_chunks_end(before: int, kind: str) -> None:
    # Chunks are of 1 MiB, of which 4 KiB are kept.
    data = (
        b"-\n" * ((1 << 19) - 4500) + b"." * before + b"\n" + SECRETS[kind].encode() + b"\n" + b"-\n" * 9000
    )
    assert secrets.find_in_bytes(data, "x")


@pytest.mark.parametrize("kind", ["GitHub token", "RSA key", "JWT"])
@pytest.mark.parametrize("shift", [-100, -30, -4, -2, -1, 0, 1])
def test_what_stands_before_the_end_of_a_chunk_counts_for_what_follows(kind: str, shift: int) -> None:
    place = (1 << 20) - 4096 + shift  # up to 4 KiB before its end the first chunk is looked at
    data = b"-" * (place - 1) + b"\n" + SECRETS[kind].encode() + b"\n" + b"-\n" * 9000
    assert secrets.find_in_bytes(data, "x")


TOKENS = {
    "GitLab runner": "gl" + "rt-" + some(20),
    "GitHub app": "gh" + "s_" + some(36),
    "AWS, for a while": "AS" + "IA" + some(16, UPPER).upper(),
    "Docker": "dckr" + "_pat_" + some(27),
    "Stripe": "s" + "k_live_" + some(24),
    "OpenAI": "s" + "k-" + some(40),
    "DigitalOcean": "dop" + "_v1_" + some(64, "abcdef0123456789").lower(),
    "Shopify": "shp" + "at_" + some(32, "abcdef0123456789").lower(),
    "Google OAuth": "ya" + "29." + some(40),
    "Google client": "GOC" + "SPX-" + some(28),
    "SendGrid": "S" + "G." + some(22) + "." + some(43),
    "Vault": "hv" + "s." + some(30),
    "age": "AGE-SECRET-" + "KEY-1" + some(58, UPPER).upper(),
}


@pytest.mark.parametrize("kind", TOKENS)
def test_a_token_is_known_by_its_beginning(kind: str) -> None:
    found = secrets.find_in_bytes(f"x\n{TOKENS[kind]}\n".encode(), "notes.txt")
    assert [finding.kind for finding in found] == ["token"]


def test_a_login_of_a_container_engine_is_called_that() -> None:
    (found,) = secrets.find_in_bytes(SECRETS["registry login"].encode(), "config.json")
    assert found.kind == "registry login"


@given(st.binary(max_size=4000))
def test_any_bytes_can_be_searched(data: bytes) -> None:
    secrets.find_in_bytes(data, "x")


def test_what_is_compressed_is_said_to_be_so(tmp_path: Path) -> None:
    path = tmp_path / "a.gz"
    path.write_bytes(b"\x1f\x8b" + bytes(20))
    assert secrets.is_packed(path)
    assert secrets.find_in_file(path) == ()


def test_a_finding_is_allowed_by_the_digest_of_its_file() -> None:
    data = SECRETS["GitHub token"].encode()
    found = secrets.find_in_bytes(data, "x")
    digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
    assert {finding.digest for finding in found} == {digest}
    assert secrets.not_allowed(found, [found[0].digest]) == ()
    assert secrets.not_allowed(found, []) == found


def test_variables_are_judged_by_name_and_value() -> None:
    variables = [
        "DB_PASS" + f"WORD={some(9)}",
        f"OTHER={SECRETS['GitHub token']}",
        "PATH=/usr/bin",
        "TOKEN=",
    ]
    found = secrets.find_in_environment(variables, "image x")
    assert [finding.place for finding in found] == [
        "image x, variable DB_PASSWORD",
        "image x, variable OTHER",
    ]


def image(tmp_path: Path, files: dict[str, bytes], **configuration: object) -> tuple[secrets.Finding, ...]:
    layout = Layout(tmp_path / "layout")
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    tar = layout.add(layer.getvalue(), "application/vnd.oci.image.layer.v1.tar")
    config = layout.add_json(configuration, "application/vnd.oci.image.config.v1+json")
    manifest = {"schemaVersion": 2, "config": config.to_json(), "layers": [tar.to_json()]}
    return secrets.find_in_image(layout, layout.add_json(manifest, MANIFEST_TYPE), "fit")


def test_packed_data_whose_beginning_has_no_zeros_is_no_text(tmp_path: Path) -> None:
    noise = random.Random(1).randbytes(300_000)
    start = noise[:4096].replace(b"\0", b"")[:1024]
    (tmp_path / "noise").write_bytes(start + noise[:150_000] + b"https://me:Zk3v9Qw8Er7@host/" + noise)
    assert secrets.find_in_file(tmp_path / "noise") == ()


def test_a_secret_in_the_middle_of_a_large_text_is_found_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "events.hepmc"
    block = b"E 1 2 3\n" * (1 << 17)
    with file.open("wb") as stream:
        for number in range(66):
            stream.write(block if number != 33 else block + f"{SECRETS['GitHub token']}\n".encode())
    (finding,) = secrets.find_in_file(file)
    assert finding.line == 34 * (1 << 17) + 1


def test_secrets_of_an_image_are_found_in_files_environment_and_history(tmp_path: Path) -> None:
    token = SECRETS["GitHub token"]
    found = image(
        tmp_path,
        {"root/.netrc": b"machine x", "app/settings.py": token.encode(), "app/fine.py": b"x = 1"},
        config={"Env": ["PATH=/usr/bin", f"API_KEY={some(30)}"], "Labels": {"note": token}},
        history=[{"created_by": "RUN true"}, {"created_by": f"RUN git clone https://x:{token}@example.org"}],
    )
    assert sorted({finding.place for finding in found}) == [
        "image fit, app/settings.py",
        "image fit, history step 2",
        "image fit, label, variable note",
        "image fit, root/.netrc",
        "image fit, variable API_KEY",
    ]


def test_test_keys_of_libraries_in_an_image_are_passed_over(tmp_path: Path) -> None:
    key = SECRETS["RSA key"].encode()
    files = {
        "usr/lib/python3/test/keycert.pem": key,
        "usr/lib/python3/http/client.py": ("pass" + f"word = '{some(9)}'").encode(),
    }
    assert image(tmp_path, files) == ()
    assert image(tmp_path, {"usr/lib/ssl/private/site.key": key})


ROOT = Path(__file__).parents[3]


def test_this_repository_has_no_secrets_but_those_made_up_for_tests() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
    names = [name for name in listed.stdout.splitlines() if not name.startswith("tests/")]
    found = [
        item for name in names if (ROOT / name).is_file() for item in secrets.find_in_file(ROOT / name, name)
    ]
    assert len(names) > 100
    assert list(map(str, found)) == []


@pytest.mark.slow
def test_the_images_of_the_dilepton_analysis_have_no_secrets() -> None:
    built = ROOT / "containers" / "images.local.yaml"
    layout = Store(places.store(os.environ)).layout
    known = images.known(ROOT).local if built.exists() else {}
    if not known or not all(layout.has(image.manifest) for image in known.values()):
        pytest.skip("the images were not built on this machine")
    for name, image in known.items():
        manifest = Descriptor(MANIFEST_TYPE, image.manifest, layout.size(image.manifest) or 0)
        assert list(map(str, secrets.find_in_image(layout, manifest, name))) == []
