"""Files made to do harm: told as what they are, and nothing outside of them is read."""

import gzip
import struct
import subprocess
import sys
import zipfile
import zlib
from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image
from tests.unit.compare.files import SAMPLES, histogram, json_plain, packed

from relance.compare import files, folders, packing
from relance.compare.folders import Pair
from relance.compare.model import Tier
from relance.specification.model import Tolerance


def test_links_out_of_an_hdf5_file_are_not_followed(tmp_path: Path) -> None:
    for name, value in (("secret", 1.0), ("other", 2.0)):
        with h5py.File(tmp_path / f"{name}.h5", "w") as file:
            file["x"] = np.array([value])
    for name, target in (("a", "secret"), ("b", "other")):
        with h5py.File(tmp_path / f"{name}.h5", "w") as file:
            file["link"] = h5py.ExternalLink(str(tmp_path / f"{target}.h5"), "/x")
            (tmp_path / "raw").write_bytes(b"12345678")
            file.create_dataset("raw", (1,), "f8", external=[(str(tmp_path / "raw"), 0, 8)])
    found = files.product("x.h5", tmp_path / "a.h5", tmp_path / "b.h5")
    assert found.tier is Tier.DIFFERENT
    told = " ".join(f"{one.expected} {one.found}" for one in found.differences)
    assert "secret.h5" in told
    assert "1.0" not in told


def test_a_group_inside_itself_has_an_end(tmp_path: Path) -> None:
    for name, value in (("a", 1.0), ("b", 2.0)):
        with h5py.File(tmp_path / f"{name}.h5", "w") as file:
            group = file.create_group("loop")
            group["self"] = group
            file["x"] = value
    assert files.product("x.h5", tmp_path / "a.h5", tmp_path / "b.h5").tier is Tier.DIFFERENT


def test_a_packed_file_that_unpacks_to_far_too_much_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packing, "_FREE", 1 << 20)
    a, b = tmp_path / "a.gz", tmp_path / "b.gz"
    a.write_bytes(gzip.compress(b"x"))
    b.write_bytes(gzip.compress(bytes(64 << 20)))
    found = files.product("x.gz", a, b)
    assert found.tier is Tier.UNREADABLE
    assert "unpacks to more than" in found.differences[0].found


def test_pickles_are_never_loaded(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, ...]:
            return (Path.touch, (tmp_path / "sprung",))

    a, b = tmp_path / "a.npy", tmp_path / "b.npy"
    np.save(a, np.array([1.0]))
    with b.open("wb") as stream:
        np.save(stream, np.array([Trap()], dtype=object), allow_pickle=True)
    assert files.product("x.npy", a, b).tier is Tier.UNREADABLE
    assert not (tmp_path / "sprung").exists()


def test_an_archive_of_arrays_that_says_it_is_huge_is_refused(tmp_path: Path) -> None:
    a, b = tmp_path / "a.npz", tmp_path / "b.npz"
    np.savez(a, x=np.array([1.0]))
    with zipfile.ZipFile(b, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("x.npy", b"\x93NUMPY")
    data = bytearray(b.read_bytes())
    at = data.rindex(b"PK\x01\x02")
    data[at + 20 : at + 28] = struct.pack("<II", 6, 0xFFFFFFF0)
    b.write_bytes(data)
    assert files.product("x.npz", a, b).tier is Tier.UNREADABLE


def test_a_picture_of_too_many_pixels_is_refused(tmp_path: Path) -> None:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", 100_000, 100_000, 8, 0, 0, 0, 0)
    a, b = tmp_path / "a.png", tmp_path / "b.png"
    for path, data in ((a, b"1"), (b, b"2")):
        path.write_bytes(
            b"\x89PNG\r\n\x1a\n"
            + chunk(b"IHDR", head)
            + chunk(b"IDAT", zlib.compress(data))
            + chunk(b"IEND", b"")
        )
    assert files.product("x.png", a, b).tier is Tier.UNREADABLE


@pytest.mark.parametrize(
    ("name", "head", "repeated"),
    [
        ("x.svg", "", "<!-- -->"),
        ("x.svg", "<svg>", "<!--"),
        ("x.svg", "<svg>", "<metadata "),
        ("x.pdf", "%PDF-1.4 1 0 obj ", "stream\n"),
        ("x.pdf", "%PDF-1.4 1 0 obj ", "/Producer ("),
        ("x.pdf", "%PDF-1.4 1 0 obj ", "/ID ["),
        ("x.pdf", "%PDF-1.4 1 0 obj ", "xref 0 1 "),
    ],
)
def test_beginnings_without_end_are_read_in_time(tmp_path: Path, name: str, head: str, repeated: str) -> None:
    a, b = tmp_path / "a", tmp_path / "b"
    for path, end in ((a, "1"), (b, "2")):
        path.write_text(head + repeated * 30_000 + end + "</svg> %%EOF")
    assert not files.product(name, a, b).tier.agrees


def test_brackets_without_end_are_no_traceback(tmp_path: Path) -> None:
    a, b = tmp_path / "a.json", tmp_path / "b.json"
    a.write_text("[" * 100_000 + "]" * 100_000)
    b.write_text("[" * 99_999 + "]" * 99_999)
    assert not files.product("x.json", a, b).tier.agrees


def test_a_key_that_stands_twice_is_refused_since_readers_disagree(tmp_path: Path) -> None:
    a, b = tmp_path / "a.json", tmp_path / "b.json"
    a.write_text('{"mu": 1}')
    b.write_text('{"mu": 2, "mu": 1}')
    assert files.product("x.json", a, b).tier is Tier.UNREADABLE


def test_pictures_with_the_same_numbers_of_other_colours_differ(tmp_path: Path) -> None:
    for name, colour in (("a", 10), ("b", 20)):
        picture = Image.new("P", (4, 4), 1)
        picture.putpalette([0, 0, 0, colour, 0, 0])
        picture.save(tmp_path / f"{name}.png")
    assert files.product("x.png", tmp_path / "a.png", tmp_path / "b.png").tier is Tier.DIFFERENT


def test_control_characters_of_a_file_do_not_reach_the_terminal(tmp_path: Path) -> None:
    a, b = tmp_path / "a.json", tmp_path / "b.json"
    a.write_text('{"x": "\\u001b[31mred"}')
    b.write_text('{"\\u001b[2Jx": "y"}')
    found = files.product("x.json", a, b)
    assert all(
        text.isprintable() for one in found.differences for text in (one.where, one.expected, one.found)
    )


def test_files_with_wrong_bytes_in_them_are_told_and_never_a_traceback(tmp_path: Path) -> None:
    pairs = []
    for sample in SAMPLES:
        a = tmp_path / sample.name
        sample.write(a, [1.0, 2.0, 3.0, 4.0])
        for seed in range(4):
            random = np.random.default_rng(seed)
            data = np.frombuffer(a.read_bytes(), np.uint8).copy()
            data[random.integers(0, len(data), 8)] ^= random.integers(1, 256, 8).astype(np.uint8)
            b = tmp_path / f"{seed}-{sample.name}"
            b.write_bytes(data.tobytes())
            pairs.append(Pair(sample.name, a, b))
    found = folders.compare(pairs, 2)
    assert [one.path for one in found] == [pair.path for pair in pairs]
    assert Tier.BYTES not in {one.tier for one in found}
    assert {Tier.DIFFERENT, Tier.UNREADABLE} <= {one.tier for one in found}


def test_links_in_a_folder_are_not_followed(tmp_path: Path) -> None:
    for name, target in (("a", "one"), ("b", "two")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "link").symlink_to(f"/nowhere/{target}")
        (tmp_path / name / "loop").symlink_to(".")
    found = folders.compare(folders.pairs(tmp_path / "a", tmp_path / "b"))
    assert [(one.path, one.tier) for one in found] == [("link", Tier.DIFFERENT), ("loop", Tier.BYTES)]


def test_missing_and_extra_files_and_folders_in_place_of_files_are_named(tmp_path: Path) -> None:
    a, b = tmp_path / "a", tmp_path / "b"
    for folder in (a, b):
        folder.mkdir()
    json_plain(a / "only-expected.json", [1.0])
    json_plain(b / "only-found.json", [1.0])
    json_plain(a / "thing", [1.0])
    (b / "thing").mkdir()
    found = {one.path: one.tier for one in folders.compare(folders.pairs(a, b))}
    assert found == {
        "only-expected.json": Tier.MISSING,
        "only-found.json": Tier.EXTRA,
        "thing": Tier.OTHER_KIND,
    }


def test_a_file_that_kills_its_reader_is_named_and_the_others_are_compared(tmp_path: Path) -> None:
    program = f"""
import os
from pathlib import Path
from relance.compare import files, folders
real = files.product
def product(path, *others):
    if path == "deadly":
        os.abort()
    return real(path, *others)
files.product = product
if __name__ == "__main__":
    for name, text in (("deadly", "[1]"), ("x.json", "[1]"), ("y.json", "[1]")):
        Path({str(tmp_path)!r}, f"a-{{name}}").write_text(text)
        Path({str(tmp_path)!r}, f"b-{{name}}").write_text(text.replace("1", " 1"))
    pairs = [
        folders.Pair(name, Path({str(tmp_path)!r}, f"a-{{name}}"), Path({str(tmp_path)!r}, f"b-{{name}}"))
        for name in ("x.json", "deadly", "y.json")
    ]
    print([(one.path, str(one.tier)) for one in folders.compare(pairs, 2)])
"""
    script = tmp_path / "program.py"
    script.write_text(program)
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False)
    assert done.stdout == "[('x.json', 'content'), ('deadly', 'unreadable'), ('y.json', 'content')]\n", (
        done.stderr
    )


def test_without_a_library_only_bytes_are_compared_and_the_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b = tmp_path / "a.root", tmp_path / "b.root"
    histogram(a, [1.0, 2.0])
    histogram(b, [1.0, 2.0])
    monkeypatch.setitem(sys.modules, "uproot", None)
    found = files.product("x.root", a, b)
    assert (found.tier, found.kind) == (Tier.UNDECIDED, "root")
    assert found.remarks[0].endswith("pip install 'relance[compare]'")
    json_plain(tmp_path / "a.json", [1.0])
    (tmp_path / "b.json").write_text('{"name": "x", "fit": {"mu": [1]}}')
    assert files.product("x.json", tmp_path / "a.json", tmp_path / "b.json").tier is Tier.CONTENT


def test_histograms_agree_by_chi_square_where_that_is_declared(tmp_path: Path) -> None:
    a, b = tmp_path / "a.root", tmp_path / "b.root"
    histogram(a, [100.0, 200.0, 300.0])
    histogram(b, [103.0, 195.0, 310.0])
    by_chi_square = (Tolerance("**", "statistics", inside="region/mll", p_value=0.01),)
    found = files.product("x.root", a, b, by_chi_square)
    assert found.tier is Tier.TOLERANCE
    assert "χ² = " in found.remarks[0]
    assert "as declared" in found.remarks[0]
    assert found.differences[0].where == "region/mll, bin 1"
    histogram(b, [203.0, 195.0, 310.0])
    assert files.product("x.root", a, b, by_chi_square).tier is Tier.DIFFERENT


def test_a_packed_table_is_compared_as_what_it_is(tmp_path: Path) -> None:
    a, b = tmp_path / "a.json.gz", tmp_path / "b.json.gz"
    packed(json_plain, 1, 0)(a, [1.0])
    packed(json_plain, 9, 7)(b, [1.0])
    assert files.product("x.json.gz", a, b).tier is Tier.CONTENT
    assert gzip.decompress(a.read_bytes()) == gzip.decompress(b.read_bytes())
