import gc
import io
import json
import os
import shutil
import subprocess
import tarfile
import tracemalloc
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests import capsules

from relance import digest
from relance.capsule import archive, reading, sources, tarball, writing
from relance.capsule.model import Capsule, CapsuleFile, Role
from relance.capsule.ordering import ordered
from relance.errors import InputError
from relance.store.descriptors import INDEX_TYPE, Descriptor
from relance.store.layout import Layout


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path / "content")


@pytest.fixture
def capsule(layout: Layout) -> Capsule:
    return capsules.small(layout, image=capsules.toy_image(layout))


@pytest.fixture
def written(layout: Layout, capsule: Capsule) -> Descriptor:
    return writing.write(layout, capsule, name="counting")


@pytest.fixture
def tar(layout: Layout, written: Descriptor, tmp_path: Path) -> Path:
    archive.export_tar(layout, written, tmp_path / "counting.tar")
    return tmp_path / "counting.tar"


def bring(layout: Layout, path: Path, name: str | None = "counting") -> Descriptor:
    with sources.opened(path) as source:
        described = archive.choose(source, None, str(path))
        archive.bring(layout, source, described, name=name)
    return described


def test_a_capsule_comes_through_a_tar_file_as_it_was(
    layout: Layout, capsule: Capsule, written: Descriptor, tar: Path, tmp_path: Path
) -> None:
    other = Layout(tmp_path / "other")
    assert bring(other, tar) == written
    assert reading.read(other, reading.find(other, "counting")) == ordered(capsule)
    assert set(other.blobs()) == set(layout.blobs())


def test_a_capsule_comes_from_another_layout(
    layout: Layout, capsule: Capsule, written: Descriptor, tmp_path: Path
) -> None:
    other = Layout(tmp_path / "other")
    assert bring(other, layout.folder) == written
    assert reading.read(other, written) == ordered(capsule)


def test_two_exports_are_equal_to_the_byte(layout: Layout, written: Descriptor, tar: Path) -> None:
    again = tar.parent / "in" / "folders" / "again.tar"
    size = archive.export_tar(layout, written, again)
    assert again.read_bytes() == tar.read_bytes()
    assert size == tar.stat().st_size


def test_an_unpacked_tar_is_an_oci_layout_with_a_letter(tar: Path, tmp_path: Path) -> None:
    folder = tmp_path / "unpacked"
    folder.mkdir()
    subprocess.run(["tar", "-xf", tar, "-C", folder], check=True)
    assert {"oci-layout", "index.json", "manifest.json", "CAPSULE.md", "replay.sh", "blobs"} == {
        path.name for path in folder.iterdir()
    }
    assert os.access(folder / "replay.sh", os.X_OK)
    assert bring(Layout(tmp_path / "other"), folder)
    again = tmp_path / "again.tar"
    subprocess.run(["tar", "-cf", again, "-C", folder, "."], check=True)
    assert bring(Layout(tmp_path / "third"), again)


def test_docker_s_manifest_names_blobs_that_are_there(tar: Path, capsule: Capsule) -> None:
    with tarfile.open(tar) as read:
        (image,) = json.loads(read.extractfile("manifest.json").read())
        names = set(read.getnames())
    assert image["Config"].endswith(capsule.images[0].config.removeprefix("sha256:"))
    assert {image["Config"], *image["Layers"]} <= names


def test_a_second_import_copies_nothing_and_an_interrupted_one_goes_on(
    written: Descriptor, tar: Path, tmp_path: Path
) -> None:
    other = Layout(tmp_path / "other")
    copied: list[int] = []

    class StoppedError(Exception):
        pass

    def stop(count: int) -> None:
        copied.append(count)
        if len(copied) == 5:
            raise StoppedError

    with sources.opened(tar) as source, suppress(StoppedError):
        archive.bring(other, source, written, name="counting", told=stop)
    assert reading.names(other) == {}
    half = set(other.blobs())
    assert half
    bring(other, tar)
    assert half < set(other.blobs())
    times = {blob: other.path(blob).stat().st_ino for blob in other.blobs()}
    bring(other, tar)
    assert {blob: other.path(blob).stat().st_ino for blob in other.blobs()} == times


def test_a_name_that_means_another_capsule_is_not_taken(capsule: Capsule, tar: Path, tmp_path: Path) -> None:
    other = Layout(tmp_path / "other")
    theirs = writing.write(other, replace(capsules.small(other), unknown=("all",)), name="counting")
    with pytest.raises(InputError, match="taken"):
        bring(other, tar)
    assert reading.find(other, "counting") == theirs
    bring(other, tar, name="counting-2")
    assert set(reading.names(other)) == {"counting:1.0", "counting-2:1.0"}


def test_what_is_not_of_the_capsule_does_not_enter(
    layout: Layout, written: Descriptor, tmp_path: Path
) -> None:
    stranger = layout.add(b"something else", "text/plain")
    other = Layout(tmp_path / "other")
    bring(other, layout.folder)
    assert not other.has(stranger.digest)


def test_of_several_capsules_one_has_to_be_named(
    layout: Layout, capsule: Capsule, written: Descriptor
) -> None:
    second = writing.write(layout, replace(capsule, unknown=("x",)), name="other")
    with sources.opened(layout.folder) as source:
        with pytest.raises(InputError, match="more than one"):
            archive.choose(source, None, "here")
        with pytest.raises(InputError, match="no capsule 'third'"):
            archive.choose(source, "third", "here")
        assert archive.choose(source, "other", "here").digest == second.digest
        assert archive.choose(source, "counting:1.0", "here").digest == written.digest


def test_a_layout_without_a_capsule_is_told_so(tmp_path: Path) -> None:
    Layout(tmp_path / "empty")
    with pytest.raises(InputError, match="no capsule"):
        bring(Layout(tmp_path / "other"), tmp_path / "empty")


def test_a_damaged_blob_is_not_exported(
    layout: Layout, capsule: Capsule, written: Descriptor, tmp_path: Path
) -> None:
    path = layout.path(capsule.files[0].digest)
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[::-1])
    with pytest.raises(InputError, match="damaged"):
        archive.export_tar(layout, written, tmp_path / "counting.tar")
    assert not list(tmp_path.glob("*counting*"))


def test_memory_stays_flat_whatever_the_size(layout: Layout, tmp_path: Path) -> None:
    large = tmp_path / "large"
    large.write_bytes(os.urandom(1 << 20) * 48)
    from relance.store import content

    stored = content.put(layout, large)
    file = CapsuleFile("data/large", Role.INPUT, stored.digest, stored.size, stored)
    capsule = capsules.small(layout)
    index = writing.write(layout, replace(capsule, files=(*capsule.files, file)), name=None)
    other = Layout(tmp_path / "other")
    gc.collect()
    tracemalloc.start()
    archive.export_tar(layout, index, tmp_path / "out.tar")
    with sources.opened(tmp_path / "out.tar") as source:
        archive.bring(other, source, index, name=None)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 16 << 20


Entry = tuple[tarfile.TarInfo, bytes]


def entries(path: Path) -> list[Entry]:
    with tarfile.open(path) as read:
        return [(info, read.extractfile(info).read()) for info in read]


def packed(path: Path, content: list[Entry], kind: int = tarfile.GNU_FORMAT) -> None:
    with tarfile.open(path, "w", format=kind) as tar:
        for info, data in content:
            tar.addfile(info, io.BytesIO(data))


def entry(name: str, data: bytes = b"", kind: bytes = tarfile.REGTYPE, target: str = "") -> Entry:
    info = tarfile.TarInfo(name)
    info.size, info.type, info.linkname = len(data), kind, target
    return info, data


BLOB = f"blobs/sha256/{digest.of_bytes(b'x').removeprefix('sha256:')}"
HOSTILE: dict[str, Callable[[list[Entry]], list[Entry]]] = {
    "a path that goes up": lambda found: [*found, entry("../../outside", b"x")],
    "a path that goes up inside": lambda found: [*found, entry("blobs/../../outside", b"x")],
    "an absolute path": lambda found: [*found, entry("/etc/cron.d/x", b"x")],
    "a symbolic link": lambda found: [*found, entry("blobs/x", kind=tarfile.SYMTYPE, target="/etc/passwd")],
    "a blob that is a link": lambda found: [
        *(one for one in found if one[0].name != found[-1][0].name),
        entry(found[-1][0].name, kind=tarfile.SYMTYPE, target="/etc/passwd"),
    ],
    "a hard link": lambda found: [*found, entry("x", kind=tarfile.LNKTYPE, target="index.json")],
    "a device": lambda found: [*found, entry("x", kind=tarfile.CHRTYPE)],
    "a disk": lambda found: [*found, entry("x", kind=tarfile.BLKTYPE)],
    "a pipe": lambda found: [*found, entry("x", kind=tarfile.FIFOTYPE)],
    "a sparse file": lambda found: [*found, entry("x", kind=tarfile.GNUTYPE_SPARSE)],
    "a name twice": lambda found: [*found, found[0]],
    "a blob twice": lambda found: [*found, found[-1]],
    "a blob under another name": lambda found: [*found[:-1], entry(BLOB, found[-1][1])],
    "a blob with other content": lambda found: [
        *found[:-1],
        entry(found[-1][0].name, b"y" * len(found[-1][1])),
    ],
    "a blob of another size": lambda found: [*found[:-1], entry(found[-1][0].name, found[-1][1] + b"y")],
    "a blob that is missing": lambda found: found[:-1],
    "no index": lambda found: [one for one in found if one[0].name != "index.json"],
    "an index that is none": lambda _: [entry("index.json", b"[" * 100_000)],
    "an index without manifests": lambda _: [entry("index.json", b"{}")],
    "an index of numbers": lambda _: [entry("index.json", b'{"manifests": [1]}')],
    "an index with NaN": lambda _: [entry("index.json", b'{"manifests": NaN}')],
    "nothing": lambda _: [],
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_tar_is_refused_and_leaves_no_name(tar: Path, tmp_path: Path, kind: str) -> None:
    hostile = tmp_path / "hostile.tar"
    packed(hostile, HOSTILE[kind](entries(tar)))
    other = Layout(tmp_path / "in" / "other")
    with pytest.raises(InputError):
        bring(other, hostile)
    assert other.names() == {}
    for blob in other.blobs():
        other.read(blob)
    assert {path.name for path in tmp_path.iterdir()} == {"content", "counting.tar", "hostile.tar", "in"}


def test_names_that_need_an_extended_header_are_refused(tar: Path, tmp_path: Path) -> None:
    for kind in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        packed(tmp_path / "long.tar", [*entries(tar), entry("x/" * 200 + "x", b"x")], kind)
        with pytest.raises(InputError, match=r"header|long"):
            bring(Layout(tmp_path / "other"), tmp_path / "long.tar")


@pytest.mark.parametrize("compression", ["gz", "xz"])
def test_a_compressed_tar_is_refused_with_what_is_expected(
    tar: Path, tmp_path: Path, compression: str
) -> None:
    with tarfile.open(tmp_path / "packed", f"w:{compression}") as read:
        read.add(tar, "counting.tar")
    with pytest.raises(InputError, match="isn't compressed"):
        bring(Layout(tmp_path / "other"), tmp_path / "packed")


@settings(max_examples=60, deadline=None)
@given(cut=st.floats(0, 0.999))
def test_a_tar_that_ends_too_early_is_refused(shared: tuple[Path, Path], cut: float) -> None:
    tar, folder = shared
    data = tar.read_bytes()
    # Behind the last file there are only zeros, which tar fills up its blocks with.
    useful = data.rstrip(b"\0")
    (folder / "cut.tar").write_bytes(useful[: int(len(useful) * cut)])
    with pytest.raises(InputError):
        bring(Layout(folder / "cut"), folder / "cut.tar", name=None)


@settings(max_examples=150, deadline=None)
@given(at=st.integers(0), value=st.integers(1, 255))
def test_a_flipped_byte_never_brings_another_capsule(shared: tuple[Path, Path], at: int, value: int) -> None:
    tar, folder = shared
    data = bytearray(tar.read_bytes())
    data[at % len(data)] ^= value
    (folder / "flipped.tar").write_bytes(data)
    shutil.rmtree(folder / "flipped", ignore_errors=True)
    other = Layout(folder / "flipped")
    with suppress(InputError):
        bring(other, folder / "flipped.tar")
    for blob in other.blobs():
        other.read(blob)
    for described in reading.names(other).values():
        assert all(other.read(blob.digest) for blob in reading.documents(other, described))


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("shared")
    layout = Layout(folder / "content")
    index = writing.write(layout, capsules.small(layout), name=None)
    archive.export_tar(layout, index, folder / "small.tar")
    return folder / "small.tar", folder


@settings(max_examples=200, deadline=None)
@given(data=st.binary(max_size=2000))
def test_any_bytes_are_read_or_refused(shared: tuple[Path, Path], data: bytes) -> None:
    path = shared[1] / "any.tar"
    path.write_bytes(data)
    with suppress(InputError), tarball.opened(path) as stream:
        tarball.members(path, stream)


def test_pipes_folders_and_nothing_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path / "none", tmp_path / "none.tar" / "x"):
        with pytest.raises(InputError):
            bring(Layout(tmp_path / "other"), path)


def test_a_blob_that_is_a_link_in_a_layout_is_not_followed(
    layout: Layout, capsule: Capsule, written: Descriptor, tmp_path: Path
) -> None:
    path = layout.path(capsule.files[0].digest)
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InputError, match="not whole"):
        bring(Layout(tmp_path / "other"), layout.folder)


def test_sizes_above_eight_gigabytes_are_read_as_gnu_writes_them(tmp_path: Path) -> None:
    size = (1 << 33) + 5
    info = tarfile.TarInfo("huge")
    info.size = size
    path = tmp_path / "huge.tar"
    with path.open("wb") as stream:
        stream.write(info.tobuf(tarfile.GNU_FORMAT))
        stream.truncate(512 + -(-size // 512) * 512 + 1024)
    with tarball.opened(path) as stream:
        assert tarball.members(path, stream) == {"huge": tarball.Member(512, size)}


def test_a_capsule_whose_kind_was_forgotten_is_found(
    layout: Layout, written: Descriptor, tmp_path: Path
) -> None:
    bare = Layout(tmp_path / "bare")
    shutil.copytree(layout.folder / "blobs", bare.folder / "blobs", dirs_exist_ok=True)
    bare.name("moved", Descriptor(INDEX_TYPE, written.digest, written.size))
    assert bring(Layout(tmp_path / "other"), bare.folder).digest == written.digest
