import json
import os
import shutil
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relance import digest
from relance.errors import InputError
from relance.store.descriptors import INDEX_TYPE, MANIFEST_TYPE, Descriptor
from relance.store.layout import NAME, Layout


def test_a_folder_with_other_files_is_refused(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(InputError, match="no OCI layout"):
        Layout(tmp_path)


def test_names_can_be_moved_and_the_index_does_not_depend_on_the_order(tmp_path):
    layouts = [Layout(tmp_path / name) for name in ("one", "two")]
    for layout, order in zip(layouts, (("a", "b"), ("b", "a")), strict=True):
        for name in order:
            layout.name(name, layout.add(name.encode(), MANIFEST_TYPE))
    assert (tmp_path / "one/index.json").read_bytes() == (tmp_path / "two/index.json").read_bytes()
    moved = layouts[0].add(b"c", MANIFEST_TYPE)
    layouts[0].name("a", moved)
    assert Layout(tmp_path / "one").names()["a"] == moved
    assert json.loads((tmp_path / "one/index.json").read_text())["schemaVersion"] == 2


@given(
    st.lists(
        st.builds(
            Descriptor,
            st.sampled_from([MANIFEST_TYPE, INDEX_TYPE]),
            st.binary(max_size=2).map(digest.of_bytes),
            st.integers(0, 9),
            st.none() | st.text(),
            st.dictionaries(st.text(), st.text(), max_size=2).filter(lambda found: NAME not in found),
            st.none() | st.just({"os": "linux", "architecture": "amd64"}),
        ),
        max_size=4,
    )
)
def test_descriptors_come_back_whole_with_and_without_a_name(tmp_path_factory, descriptors):
    layout = Layout(tmp_path_factory.mktemp("layout"))
    for number, descriptor in enumerate(descriptors):
        layout.attach(descriptor)
        layout.name(str(number), descriptor)
        layout.name(str(number), descriptor)
    assert layout.names() == {str(number): descriptor for number, descriptor in enumerate(descriptors)}
    unnamed = [entry for entry in layout.index() if NAME not in entry.annotations]
    assert all(unnamed.count(descriptor) == 1 for descriptor in descriptors)
    for number in range(len(descriptors)):
        assert layout.unname(str(number))
    assert layout.names() == {}
    layout.detach(frozenset(descriptor.digest for descriptor in descriptors))
    assert layout.index() == ()


def test_a_blob_that_is_not_what_its_name_says_is_not_given_out(tmp_path):
    layout = Layout(tmp_path)
    blob = layout.add(b"right", "text/plain").digest
    with layout.open(blob) as stream:
        assert (layout.read(blob), stream.read()) == (b"right", b"right")
    layout.path(blob).chmod(0o644)
    layout.path(blob).write_bytes(b"wrong")
    with pytest.raises(InputError, match="is damaged"):
        layout.read(blob)
    with pytest.raises(InputError, match="is damaged"), layout.open(blob):
        pass


def test_what_has_a_name_is_not_detached(tmp_path):
    layout = Layout(tmp_path)
    named = layout.add(b"{}", MANIFEST_TYPE)
    layout.name("kept", named)
    layout.attach(named)
    layout.detach(frozenset({named.digest}))
    assert layout.names() == {"kept": named}
    assert len(layout.index()) == 1


def test_referrers_are_found_by_what_they_are_about(tmp_path):
    layout = Layout(tmp_path)
    subject = layout.add(b"{}", MANIFEST_TYPE)
    report = layout.add_json({"subject": subject.to_json()}, MANIFEST_TYPE)
    layout.attach(report)
    layout.name("other", layout.add_json({"subject": report.to_json()}, MANIFEST_TYPE))
    assert layout.referrers(subject.digest) == (report,)


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"manifests": [{"digest": 3}]}', "[" * 100_000])
def test_a_broken_index_is_told(tmp_path, text):
    layout = Layout(tmp_path)
    (tmp_path / "index.json").write_text(text)
    with pytest.raises(InputError):
        layout.names()


@pytest.mark.container
@pytest.mark.skipif(shutil.which("skopeo") is None and not os.environ.get("CI"), reason="skopeo is not here")
def test_skopeo_reads_a_layout_written_here(tmp_path):
    from relance.store.normalise import Settings, assemble

    rootfs = tmp_path / "rootfs.tar"
    subprocess.run(["tar", "cf", rootfs, "-C", "/etc", "hostname"], check=True)
    layout = Layout(tmp_path / "layout")
    with rootfs.open("rb") as stream:
        image = assemble(layout, None, stream, Settings({"A": "1"}), architecture="amd64")
    layout.name("it", image.manifest)
    done = subprocess.run(
        ["skopeo", "inspect", "--config", f"oci:{tmp_path}/layout:it"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout)["config"]["Env"] == ["A=1"]
