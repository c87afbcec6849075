"""What is remembered of runs: for one server, and only if nothing of it leads astray."""

import json
from pathlib import Path

import pytest

from relance.engines.reana import notes
from relance.engines.reana.declared import Declared, Language
from relance.engines.reana.model import Workflow
from relance.engines.reana.notes import Note

SERVER = "https://reana.example.org"
RUN = Workflow("00000000-0000-4000-8000-000000000001", "fit.1")


@pytest.fixture
def note(tmp_path: Path) -> Note:
    (tmp_path / "Snakefile").write_text("")
    declared = Declared(
        tmp_path, {}, Language.SNAKEMAKE, "Snakefile", {}, {}, ("Snakefile",), ("data/one.txt",), ()
    )
    made = Note(tmp_path / "kept" / RUN.id, SERVER, RUN, "sha256:0", inputs=("data/one.txt",))
    notes.keep(made, declared)
    return made


def test_a_note_is_read_back_and_only_for_its_server(note: Note) -> None:
    assert notes.of_run(note.folder.parent, SERVER, RUN) == note
    assert notes.listed(note.folder.parent, SERVER) == (note,)
    assert (note.definition / "Snakefile").is_file()
    other = "https://other.example.org"
    assert notes.of_run(note.folder.parent, other, RUN) is None
    assert notes.listed(note.folder.parent, other) == ()


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("inputs", ["../outside"]),
        ("inputs", ["/etc/passwd"]),
        ("inputs", [1]),
        ("products", ["a/../../b"]),
        ("workflow_id", "../other"),
        ("capsule", "no digest"),
        ("parameters", 3),
        ("server", None),
    ],
)
def test_a_note_that_somebody_changed_is_none(note: Note, key: str, value: object) -> None:
    file = note.folder / "submission.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), key: value}))
    assert notes.of_run(note.folder.parent, SERVER, RUN) is None


@pytest.mark.parametrize("text", ["", "{", "[]", "null"])
def test_a_note_that_was_torn_is_none(note: Note, text: str) -> None:
    (note.folder / "submission.json").write_text(text)
    assert notes.listed(note.folder.parent, SERVER) == ()
