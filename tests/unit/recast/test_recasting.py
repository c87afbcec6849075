"""What keeps a recast from its folder, before anything is started."""

import fcntl
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pytest
from tests import capsules

from relance.capsule.model import CapsuleFile, CapsuleLink
from relance.digest import of_bytes
from relance.errors import InputError
from relance.recast import recasting, record
from relance.recast.changes import Changes
from relance.recast.request import Effects, Request
from relance.store.store import Store

HEPMC = "HepMC::Version 3\nHepMC::Asciiv3-START_EVENT_LISTING\nE 0 0 0\n"
EFFECTS = Effects(lambda _text: None, nullcontext)


def request(folder: Path, changes: Changes) -> Request:
    store = Store(folder / "store")
    return Request(store, of_bytes(b"the capsule"), capsules.small(store.layout), changes)


def test_a_folder_in_which_another_process_recasts_is_left_to_it(tmp_path: Path) -> None:
    asked = request(tmp_path, Changes({"threshold": 50.0}))
    folder = tmp_path / "recast"
    folder.mkdir()
    with (folder / "lock").open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        with pytest.raises(InputError, match="is in use"):
            recasting.recast(asked, recasting.check(asked), folder, EFFECTS)
    assert [path.name for path in folder.iterdir()] == ["lock"]


def test_the_folder_of_another_recast_is_left_as_it_is(tmp_path: Path) -> None:
    asked, other = (request(tmp_path, Changes({"threshold": value})) for value in (50.0, 60.0))
    identity, interface = asked.capsule.specification.identity, asked.capsule.specification.interface
    folder = tmp_path / "recast"
    folder.mkdir()
    checked = recasting.check(other)
    record.begin(folder, record.beginning(other.parent, identity.name, identity.version, checked, interface))
    before = (folder / record.NAME).read_bytes()
    with pytest.raises(InputError, match="holds another recast"):
        recasting.recast(asked, recasting.check(asked), folder, EFFECTS)
    assert (folder / record.NAME).read_bytes() == before


def test_a_file_that_changed_since_it_was_checked_is_not_taken(tmp_path: Path) -> None:
    events = tmp_path / "events.hepmc"
    events.write_text(HEPMC)
    asked = request(tmp_path, Changes(inputs={"signal": events}))
    checked = recasting.check(asked)
    events.write_text(HEPMC + "E 1 0 0\n")
    with pytest.raises(InputError, match="another content now"):
        recasting.plan(asked, checked, lambda _text: None)


def with_more(asked: Request, file: CapsuleFile | None = None, link: CapsuleLink | None = None) -> Request:
    capsule = asked.capsule
    files = sorted([*capsule.files, *([file] if file else [])], key=lambda one: one.path)
    changed = replace(capsule, files=tuple(files), links=(*capsule.links, *([link] if link else [])))
    return replace(asked, capsule=changed)


def test_a_file_of_the_analysis_where_given_files_should_lie_is_told(tmp_path: Path) -> None:
    events = tmp_path / "events.hepmc"
    events.write_text(HEPMC)
    asked = request(tmp_path, Changes(inputs={"signal": events}))
    asked = with_more(asked, capsules.kept(asked.store.layout, "recast", b"a program"))
    with pytest.raises(InputError, match="a file of the analysis") as refused:
        recasting.plan(asked, recasting.check(asked), lambda _text: None)
    assert refused.value.next_step == "rename that file in the analysis and capture it again"


def test_nothing_is_made_where_a_link_of_the_capsule_leads_to(tmp_path: Path) -> None:
    events = tmp_path / "events.hepmc"
    events.write_text(HEPMC)
    (tmp_path / "outside").mkdir()
    asked = request(tmp_path, Changes(inputs={"signal": events}))
    asked = with_more(asked, link=CapsuleLink("recast", str(tmp_path / "outside")))
    with pytest.raises(InputError):
        recasting.plan(asked, recasting.check(asked), lambda _text: None)
    assert list((tmp_path / "outside").iterdir()) == []
