"""What is deleted from a server is told before, and in a form that scripts read; so is what changes runs."""

import json
from collections.abc import Callable

import pytest

from .conftest import Said
from .server import Standin


@pytest.fixture
def done(say: Callable[..., Said], serial: Callable[..., str]) -> str:
    """A finished run on the server of the test."""
    assert say("submit", serial(), "--skip-images", "--wait", "--interval=0.1").code == 0
    return "serial.1"


def test_a_dry_run_of_prune_tells_what_the_server_then_deletes(
    newest: Standin, say: Callable[..., Said], done: str
) -> None:
    for options in ([], ["--outputs"], ["--inputs"]):
        before = {file["path"] for file in json.loads(say("files", done, "--json").out)}
        planned = say("prune", done, *options, "--dry-run", "--json").json
        assert len(newest.calls("POST", "/prune$")) == 0
        assert {file["path"] for file in json.loads(say("files", done, "--json").out)} == before
        pruned = say("prune", done, *options, "--json").json
        newest.asked.clear()
        assert planned == {"dry_run": True, "files": pruned["files"]}
        assert not pruned["dry_run"]
        gone = {file["path"] for file in pruned["files"]}
        assert gone
        assert {file["path"] for file in json.loads(say("files", done, "--json").out)} == before - gone


def test_a_dry_run_of_prune_is_told_to_people(newest: Standin, say: Callable[..., Said], done: str) -> None:
    told = say("prune", done, "-n")
    assert told.code == 0
    *files, last = told.out.splitlines()
    assert "             6  one.txt" in files
    size = sum(int(line.split()[0].replace(",", "")) for line in files)
    assert last == f"{len(files)} files would be deleted, {size} bytes"
    assert newest.calls("POST", "/prune$") == []


def test_a_dry_run_of_delete_tells_runs_and_sizes_and_deletes_none(
    newest: Standin, say: Callable[..., Said], done: str, serial: Callable[..., str]
) -> None:
    assert say("submit", serial(first="sleep 60"), "--again", "--skip-images").code == 0
    told = say("delete", done, "--all-runs", "--dry-run")
    assert told.code == 0
    running, over = told.out.splitlines()
    assert running.startswith("would delete serial.2: ")
    assert running.endswith("; stop it first")
    assert over.startswith("would delete serial.1: finished, ")
    assert "stop it" not in over
    assert say("delete", done, "--dry-run").out == f"{over}\n"
    planned = say("delete", done, "--dry-run", "--json").json
    assert newest.calls("PUT", "/status$") == []
    size = sum(file["size"] for file in json.loads(say("files", done, "--json").out))
    (row,) = planned["runs"]
    assert (row["name"], row["status"], row["size"]) == (done, "finished", size)
    assert say("stop", "serial.2", "--json").json["status"] == "stopped"
    deleted = say("delete", done, "--json").json
    assert deleted == {**planned, "dry_run": False}
    assert [row["name"] for row in say("delete", "serial.2", "--all-runs", "--json").json["runs"]] == [
        "serial.2"
    ]
    assert say("list").out == ""


def test_what_a_restart_made_and_how_runs_differ_is_json_for_scripts(
    newest: Standin, say: Callable[..., Said], done: str
) -> None:
    again = say("restart", done, "--set=word=world", "--json").json
    assert again == {"server": newest.address, "id": newest.find("serial.1.1").id, "name": "serial.1.1"}
    assert say("logs", "serial.1.1", "--follow", "--interval=0.1").code == 0
    found = say("diff", done, "serial.1.1", "--json").json
    assert set(found) == {"reana_specification"}
    assert "+  word: world" in found["reana_specification"]
    assert say("diff", done, done, "--json").json == {}
