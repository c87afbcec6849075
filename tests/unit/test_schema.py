import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relance import document, schema
from relance.errors import InputError

SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "required": ["images"],
    "properties": {
        "images": {
            "type": "object",
            "additionalProperties": {
                "type": "object",
                "additionalProperties": False,
                "required": ["digest"],
                "properties": {
                    "digest": {"type": "string", "pattern": "^sha256:"},
                    "builder": {"enum": ["podman", "docker"]},
                    "size": {"anyOf": [{"type": "integer", "minimum": 1}, {"type": "null"}]},
                },
            },
        }
    },
}


def refusal(tmp_path: Path, text: str) -> str:
    path = tmp_path / "images.yaml"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        schema.load(path, SCHEMA)
    return str(caught.value).replace(f"{tmp_path}/", "")


def test_a_correct_file_is_read_with_its_lines(tmp_path: Path) -> None:
    path = tmp_path / "images.yaml"
    path.write_text("# pinned\nimages:\n  fit:\n    digest: sha256:0\n    size: 12\n")
    loaded = schema.load(path, SCHEMA)
    assert loaded.value == {"images": {"fit": {"digest": "sha256:0", "size": 12}}}
    assert loaded.where("images", "fit", "size") == f"{path}:5"
    assert loaded.where("images", "fit", "no such key") == f"{path}:3"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "images:\n  fit:\n    digest: sha256:0\n    bilder: podman\n",
            "images.yaml:4: unknown key: found 'bilder', expected one of digest, builder, size; write "
            "'builder'",
        ),
        (
            "images:\n  fit: {}\n",
            "images.yaml:2: images.fit lacks a key: found no keys, expected 'digest'; add 'digest: …'",
        ),
        (
            "images:\n  fit:\n    digest: sha256:0\n    builder: podmann\n",
            "images.yaml:4: images.fit.builder: found 'podmann', expected one of 'podman', 'docker'; write "
            "'podman'",
        ),
        (
            "images:\n  fit:\n    digest: 12\n",
            "images.yaml:3: images.fit.digest: found 12, expected text; correct this line",
        ),
        (
            "images:\n  fit:\n    digest: sha256:0\n    size: 0\n",
            "images.yaml:4: images.fit.size: found 0, expected at least 1 or nothing; correct this line",
        ),
        (
            "images:\n  fit:\n    digest: latest\n",
            "images.yaml:3: images.fit.digest: found 'latest', expected text of the form ^sha256:; correct",
        ),
        (
            "images:\n  a: {digest: sha256:0}\n  a: {digest: sha256:1}\n",
            "images.yaml:3: the key 'a' is repeated: found it on line 2 too, expected one; correct this line",
        ),
        ("images: [1,\n", "images.yaml:2: not YAML"),
        ("images: !!python/object:os.system {}\n", "images.yaml:1: a tag isn't allowed"),
        ("images: &a\n  b: *a\n", "an alias can't be used"),
        ("images:\n  <<: {a: 1}\n", "images.yaml:2: merge keys aren't allowed"),
        ("images:\n  ? [1]\n  : 2\n", "images.yaml:2: a key isn't text"),
        ("images: .nan\n", "images.yaml:1: a value can't be used"),
        ("", "images.yaml:1: the file: found null, expected a mapping"),
    ],
)
def test_a_breach_names_line_expected_found_and_next_step(tmp_path: Path, text: str, message: str) -> None:
    assert message in refusal(tmp_path, text)


def test_all_breaches_are_told_in_the_order_of_their_lines(tmp_path: Path) -> None:
    message = refusal(tmp_path, "images:\n  a: {digest: 1}\n  b: {digest: sha256:0, sise: 1}\nother: 1\n")
    assert [line.split(":")[1] for line in message.splitlines()] == ["2", "3", "4"]


def test_half_a_character_is_refused(tmp_path: Path) -> None:
    assert "images.yaml:1: not text" in refusal(tmp_path, '"\\ud800": 1\n')


def test_aliases_cannot_fill_the_memory(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    assert "no end of values" in refusal(tmp_path, "\n".join(lines))


@pytest.mark.parametrize("content", [b"\xff\xfe", None])
def test_an_unreadable_file_is_refused(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "images.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match="can't be read"):
        schema.load(path, SCHEMA)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 1e-3),
        ("2500", 2500),
        ("2500.0", 2500.0),
        ("2 TeV", "2 TeV"),
        ("yes", "yes"),
        ("on", "on"),
        ("2026-01-01", "2026-01-01"),
        ("12:30", "12:30"),
        ("0x10", "0x10"),
        ("true", True),
        ("null", None),
        ("[ee, mumu]", ["ee", "mumu"]),
        ("'1'", "1"),
    ],
)
def test_values_are_those_of_yaml_1_2(text: str, value: object) -> None:
    read = document.value(text, Path("x"))
    assert read == value
    assert type(read) is type(value)


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
        max_leaves=10,
    )
)
def test_json_reads_as_itself(value: object) -> None:
    assert document.value(json.dumps(value), Path("x")) == value
