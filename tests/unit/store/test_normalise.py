import io
import tarfile
from contextlib import ExitStack
from pathlib import Path

import pytest

from relance.store.layout import Layout
from relance.store.normalise import Image, Settings, assemble, open_layers
from relance.store.tree import flatten

from . import tarballs
from .tarballs import file, folder, layer


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path / "layout")


def make(layout: Layout, base: Image | None, rootfs: io.BytesIO, **environment: str) -> Image:
    return assemble(layout, base, rootfs, Settings(environment), architecture="amd64")


def upper(layout: Layout, image: Image) -> list[str]:
    with layout.open(image.layers[-1].digest) as stream, tarfile.open(fileobj=stream) as tar:
        return tar.getnames()


def merged(layout: Layout, image: Image) -> list[str]:
    with ExitStack() as stack:
        return list(flatten(open_layers(layout, image, stack)))


BASE = (folder("usr"), file("usr/kept", b"1"), folder("old"), file("old/a", b"2"), file("was-file", b"3"))


def test_the_layer_has_what_changed_and_whiteouts_of_what_is_gone(layout):
    base = make(layout, None, layer(*BASE))
    built = layer(folder("usr"), file("usr/kept", b"1"), file("usr/new", b"4"), folder("was-file"))
    image = make(layout, base, built)
    assert upper(layout, image) == [".wh.old", "usr/new", "was-file"]
    assert merged(layout, image) == ["usr", "usr/kept", "usr/new", "was-file"]


def test_a_changed_mode_or_owner_or_byte_is_a_change_and_a_time_is_not(layout):
    base = make(layout, None, layer(*(file(name, b"x") for name in "abcd")))
    built = layer(
        file("a", b"x"),
        file("b", b"y"),
        file("c", b"x", mode=0o755),
        tarballs.Member("d", data=b"x", uid=7),
        time=99,
    )
    assert upper(layout, make(layout, base, built)) == ["b", "c", "d"]


def test_traces_of_builder_and_machine_leave_the_image_the_same(layout):
    base = make(layout, None, layer(*BASE))
    plain = make(layout, base, layer(*BASE, file("usr/new", b"4")))
    traces = [folder("run"), file("run/secret", b"s"), file(".dockerenv"), folder("etc"), folder("tmp")]
    traces += [file("etc/resolv.conf", b"nameserver"), file("etc/hostname", b"here"), file("tmp/x", b"y")]
    built = layer(*BASE, file("usr/new", b"4"), *traces, time=1_700_000_000)
    changed = make(layout, base, built)
    assert set(merged(layout, changed)) - set(merged(layout, plain)) == {"run", "etc", "tmp"}


def test_the_same_content_in_another_order_and_at_another_time_is_the_same_image(tmp_path):
    images = []
    for number, members in enumerate((BASE, BASE[::-1])):
        images.append(make(Layout(tmp_path / str(number)), None, layer(*members, time=number), A="1"))
    assert images[0] == images[1]


def test_an_image_is_read_back_as_it_was_assembled(layout):
    settings = Settings({"PATH": "/a:/b", "EQUALS": "x=y"}, ("bash", "-l"), "/work", {"license": "BSD"})
    image = assemble(layout, None, layer(*BASE), settings, architecture="arm64")
    assert Image.read(layout, image.manifest) == image


def test_an_environment_variable_changes_the_identity_of_an_image(layout):
    one, other = (make(layout, None, layer(*BASE), A=value) for value in ("1", "2"))
    assert one.config.digest != other.config.digest
    assert one.layers == other.layers
