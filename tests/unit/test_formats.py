import gzip
import json
import os
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import uproot
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from relance import formats
from relance.errors import InputError

HEPMC3 = b"HepMC::Version 3.02.06\nHepMC::Asciiv3-START_EVENT_LISTING\nW 1.0\nE 0 1 2\nU GEV MM\n"
HEPMC2 = b"\nHepMC::Version 2.06.09\nHepMC::IO_GenEvent-START_EVENT_LISTING\nE 1 -1 0 0\n"
LHE = (
    b'<?xml version="1.0"?>\n<LesHouchesEvents version="3.0">\n<init>\n</init>\n'
    b"<event>\n</event>\n</LesHouchesEvents>\n"
)
WORKSPACE = json.dumps(
    {
        "channels": [{"name": "SR"}],
        "measurements": [],
        "observations": [{"name": "SR", "data": [1]}],
        "version": "1.0.0",
    }
).encode()
UNOBSERVED = WORKSPACE.replace(b'"observations": [{"name": "SR"', b'"observations": [{"name": "CR"')
PATCH = json.dumps([{"op": "add", "path": "/channels/0", "value": {}}]).encode()
PATCHSET = json.dumps({"metadata": {}, "patches": [], "version": "1.0.0"}).encode()
CARD = b"! a Z'\nNewGaugeBoson:ffbar2gmZZprime = on\n32:m0 = 2000\n"
MADGRAPH = b"import model sm\ngenerate p p > l+ l-\noutput dy\n"
GOOD = [
    ("hepmc3", HEPMC3),
    ("hepmc2", HEPMC2),
    ("lhe", LHE),
    ("pyhf-workspace", WORKSPACE),
    ("pyhf-patch", PATCH),
    ("pyhf-patchset", PATCHSET),
    ("card", CARD),
    ("card", MADGRAPH),
]


def written(folder: Path, content: bytes) -> Path:
    path = folder / "given.dat"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(("name", "content"), GOOD)
def test_a_file_is_known_by_its_content_whatever_its_name(tmp_path: Path, name: str, content: bytes) -> None:
    assert formats.check(written(tmp_path, content), formats.names(), "x") == formats.Detected(name, "none")


@pytest.mark.parametrize(("name", "content"), [pair for pair in GOOD if pair[0] != "card"])
@pytest.mark.parametrize("packing", ["gzip", "zstd"])
def test_a_packed_file_is_looked_into(tmp_path: Path, name: str, content: bytes, packing: str) -> None:
    packed = gzip.compress(content, mtime=0) if packing == "gzip" else zstandard.compress(content)
    assert formats.check(written(tmp_path, packed), [name], "x") == formats.Detected(name, packing)


def test_a_root_file_is_known_and_one_that_is_cut_off_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "ntuple.root"
    with uproot.recreate(path) as file:
        file.mktree("events", {"mll": "float64"})
        file["events"].extend({"mll": np.arange(1000.0)})
    assert formats.check(path, ["root"], "x").format == "root"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(InputError, match="it is cut off"):
        formats.check(path, ["root"], "x")


@pytest.mark.parametrize(
    ("content", "wanted", "message"),
    [
        (b"", "hepmc3", "found an empty file, expected HepMC3 events in ASCII"),
        (LHE, "hepmc3", "found Les Houches events, expected HepMC3 events in ASCII"),
        (HEPMC3.split(b"E 0")[0], "hepmc3", "found no event, expected"),
        (LHE.replace(b"</LesHouchesEvents>", b""), "lhe", "no end, '</LesHouchesEvents>'"),
        (gzip.compress(HEPMC3 * 9, mtime=0)[:-12], "hepmc3", "a damaged gzip file"),
        (zstandard.compress(HEPMC3)[:4] + b"\xff" * 20, "hepmc3", "damaged zstd"),
        (gzip.compress(CARD, mtime=0), "card", "expected a generator card (text), not packed"),
        (b"root\0\0\0\1", "root", "only 8 bytes"),
        (b"root" + bytes(60), "root", "a header that makes no sense"),
        (b"\x7fELF\0\0", "card", "something that begins with '\\x7fELF"),
        (b"[" * 100_000, "pyhf-patch", "something that begins with '[[["),
        (b'[{"op": "overwrite", "path": "/a"}]', "pyhf-patch", "the operation 'overwrite'"),
        (UNOBSERVED, "pyhf-workspace", "no observation of channel 'SR'"),
    ],
)
def test_what_is_damaged_or_something_else_is_refused(
    tmp_path: Path, content: bytes, wanted: str, message: str
) -> None:
    with pytest.raises(InputError) as caught:
        formats.check(written(tmp_path, content), [wanted], "input 'signal'")
    assert message in str(caught.value)
    assert str(caught.value).startswith("input 'signal': ")


def test_what_is_no_regular_file_is_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe", Path("/dev/zero")):
        with pytest.raises(InputError, match="no regular file"):
            formats.check(path, ["hepmc3"], "x")
    with pytest.raises(InputError, match="No such file"):
        formats.check(tmp_path / "none", ["hepmc3"], "x")


@pytest.mark.parametrize("beginning", [b"", HEPMC3, b"{"])
def test_a_bomb_is_looked_at_in_little_memory_and_time(tmp_path: Path, beginning: bytes) -> None:
    path = tmp_path / "bomb.gz"
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(beginning)
        for _ in range(200):
            file.write(bytes(1 << 20))
    tracemalloc.start()
    started = time.process_time()
    try:
        formats.check(path, ["hepmc3"], "x")
    except InputError:
        assert beginning != HEPMC3
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 300 << 20
    assert time.process_time() - started < 10


BEGINNINGS = [b"", b"root", *(content[:40] for _, content in GOOD)]


@given(content=st.binary(max_size=200), start=st.sampled_from(BEGINNINGS), packed=st.booleans())
@settings(max_examples=150, deadline=None)
def test_any_bytes_are_recognised_or_refused(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, start: bytes, packed: bool
) -> None:
    path = tmp_path_factory.mktemp("any") / "file"
    path.write_bytes(gzip.compress(start + content, mtime=0) if packed else start + content)
    try:
        assert formats.check(path, formats.names(), "x").format in formats.names()
    except InputError as error:
        assert str(error).startswith("x: ")
