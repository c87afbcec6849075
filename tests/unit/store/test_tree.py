import io
import tarfile
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relance.errors import InputError
from relance.store.tree import Kind, Tree, flatten, write_tar

from . import tarballs
from .tarballs import file, folder, hard_link, layer, link


def contents(*layers: io.BytesIO) -> dict[str, bytes | str | None]:
    """Paths to bytes of files, targets of links, None for folders."""
    return read(flatten(layers), layers)


def read(tree: Tree, layers: tuple[io.BytesIO, ...]) -> dict[str, bytes | str | None]:
    found: dict[str, bytes | str | None] = {}
    for path, entry in tree.items():
        if entry.content is not None:
            stream = layers[entry.content.layer]
            stream.seek(entry.content.offset)
            found[path] = stream.read(entry.content.size)
        else:
            found[path] = entry.target if entry.kind is Kind.LINK else None
    return found


def test_an_upper_layer_replaces_files_of_a_lower_one():
    assert contents(layer(file("a", b"old"), file("b", b"kept")), layer(file("a", b"new"))) == {
        "a": b"new",
        "b": b"kept",
    }


def test_a_whiteout_removes_a_file_and_a_whole_folder_of_the_layers_below():
    below = layer(folder("d"), file("d/x", b"1"), file("d/y", b"2"), folder("e"), file("e/z", b"3"))
    assert contents(below, layer(file("d/.wh.x"), file(".wh.e"))) == {"d": None, "d/y": b"2"}


def test_a_whiteout_leaves_what_its_own_layer_adds():
    assert contents(layer(file("a", b"old")), layer(file("a", b"new"), file(".wh.a"))) == {"a": b"new"}


def test_an_opaque_folder_hides_what_lay_below_but_not_its_own_files():
    below = layer(folder("d"), file("d/x", b"1"))
    above = layer(folder("d"), file("d/y", b"2"), file("d/.wh..wh..opq"))
    assert contents(below, above) == {"d": None, "d/y": b"2"}


def test_a_file_in_place_of_a_folder_removes_what_was_in_it():
    assert contents(layer(folder("d"), file("d/x", b"1")), layer(file("d", b"2"))) == {"d": b"2"}


def test_a_folder_in_place_of_a_link_is_a_folder():
    assert contents(layer(link("d", "e")), layer(folder("d"), file("d/x", b"1"))) == {"d": None, "d/x": b"1"}


def test_parents_that_no_layer_names_are_made():
    tree = flatten([layer(file("a/b/c", b"1"))])
    assert [tree[path].mode for path in ("a", "a/b")] == [0o755, 0o755]


def test_a_hard_link_keeps_its_content_when_the_first_name_is_removed():
    below = layer(file("a", b"data"), hard_link("b", "a"))
    assert contents(below, layer(file(".wh.a"))) == {"b": b"data"}


def test_hard_links_stay_links_in_the_tar_that_is_written():
    layers = (layer(file("a", b"data"), hard_link("b", "a")),)
    output = io.BytesIO()
    write_tar(flatten(layers), layers, output)
    with tarfile.open(fileobj=io.BytesIO(output.getvalue())) as tar:
        assert tar.getmember("b").islnk()
        assert tar.getmember("b").linkname == "a"


@pytest.mark.parametrize("kind", [tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_devices_and_pipes_are_left_out_with_their_hard_links(kind):
    below = layer(file("lib/null", b"what a device hides"), file("lib/kept"))
    devices = [tarballs.Member("dev/null", kind), tarballs.Member("lib/null", kind)]
    above = layer(folder("dev"), *devices, hard_link("lib/zero", "lib/null"))
    assert contents(below, above) == {"dev": None, "lib": None, "lib/kept": b""}


def test_an_opaque_root_hides_everything_below():
    assert contents(layer(file("a"), file("b/c")), layer(file(".wh..wh..opq"), file("d"))) == {"d": b""}


@pytest.mark.parametrize(
    "members",
    [
        [file("../evil")],
        [file("a/../../evil")],
        [file("/etc/passwd")],
        [link("a", "/etc"), file("a/passwd")],
        [link("a", ".."), folder("a/b")],
        [file("a"), file("a/b")],
        [hard_link("a", "/etc/shadow")],
        [hard_link("a", "../../etc/shadow")],
        [hard_link("a", "missing")],
        [folder("d"), hard_link("a", "d")],
        [tarballs.Member("sparse", tarfile.GNUTYPE_SPARSE)],
        [file(".wh...")],
        [file(".wh.")],
    ],
    ids=lambda members: "+".join(member.name for member in members),
)
def test_a_hostile_layer_is_refused(members):
    with pytest.raises(InputError, match="must not"):
        flatten([layer(*members)])


def test_a_file_below_a_link_of_a_lower_layer_is_refused():
    with pytest.raises(InputError, match="parents are folders"):
        flatten([layer(link("a", "/etc")), layer(file("a/passwd"))])


def test_a_layer_that_is_no_tar_is_refused():
    with pytest.raises(InputError, match="uncompressed tar"):
        flatten([io.BytesIO(b"not a tar at all" * 100)])


def entry(name: bytes, size: bytes, kind: bytes) -> bytes:
    """One tar header with whatever size it says."""
    head = name.ljust(100, b"\0") + b"0000644\0" + b"0000000\0" * 2 + size + b"00000000000\0"
    total = sum(head) + 8 * ord(" ") + sum(kind) + sum(b"ustar\x0000")
    head += b"%06o\0 " % total + kind + b"\0" * 100 + b"ustar\x0000"
    return head.ljust(512, b"\0")


def test_an_entry_of_negative_size_is_refused_and_not_read_for_ever():
    negative = entry(b"a", b"00000000000\0", b"0") + entry(b"b", b"\xff" * 10 + b"\xfe\x00", b"0")
    with pytest.raises(InputError, match="can't be read"):
        flatten([io.BytesIO(negative + b"\0" * 4096)])


def test_long_names_of_long_names_are_refused():
    long = entry(b"././@LongLink", b"00000000001\0", b"L") + b"x".ljust(512, b"\0")
    with pytest.raises(InputError, match="can't be read"):
        flatten([io.BytesIO(long * 3000 + b"\0" * 4096)])


names = st.sampled_from(["a", "b", "c", "é", "long" * 40])
paths = st.lists(names, min_size=1, max_size=3).map("/".join)
plain_trees = st.dictionaries(paths, st.binary(max_size=600), max_size=8)


def without_conflicts(files: Mapping[str, bytes]) -> dict[str, bytes]:
    return {
        path: data for path, data in files.items() if not any(f"{path}/" in f"{other}" for other in files)
    }


@given(plain_trees.map(without_conflicts))
def test_writing_a_tree_and_reading_it_again_gives_the_tree(files):
    layers = (layer(*(file(path, data) for path, data in files.items())),)
    before = contents(*layers)
    output = io.BytesIO()
    write_tar(flatten(layers), layers, output)
    assert contents(io.BytesIO(output.getvalue())) == before
    assert {path: data for path, data in before.items() if data is not None} == files


@given(plain_trees.map(without_conflicts), st.randoms(), st.integers(0, 2**33))
def test_order_and_times_of_a_layer_do_not_change_the_tar_that_is_written(files, random, time):
    members = [file(path, data) for path, data in files.items()]
    written = []
    for layers in ((layer(*members),), (layer(*random.sample(members, len(members)), time=time),)):
        output = io.BytesIO()
        write_tar(flatten(layers), layers, output)
        written.append(output.getvalue())
    assert written[0] == written[1]


@given(plain_trees.map(without_conflicts), st.data())
def test_what_is_spread_over_layers_is_joined_again(files, data):
    split = data.draw(st.lists(st.booleans(), min_size=len(files), max_size=len(files)))
    parts: list[list[tarballs.Member]] = [[], []]
    for upper, (path, content) in zip(split, files.items(), strict=True):
        parts[upper].append(file(path, content))
    joined = contents(layer(*parts[0]), layer(*parts[1]))
    assert joined == contents(layer(*parts[0], *parts[1]))
