import pytest
from hypothesis import given
from hypothesis import strategies as st

from relance import digest
from relance.errors import InputError
from relance.store.layout import Layout


@given(blobs=st.lists(st.binary(max_size=5000), max_size=5))
def test_every_blob_is_read_back_as_it_was_written(tmp_path_factory, blobs):
    layout = Layout(tmp_path_factory.mktemp("layout"))
    stored = [layout.add(blob, "application/octet-stream") for blob in blobs]
    assert [layout.read(descriptor.digest) for descriptor in stored] == blobs
    assert [descriptor.size for descriptor in stored] == [len(blob) for blob in blobs]


def test_a_damaged_blob_is_refused_by_read_and_by_open(tmp_path):
    layout = Layout(tmp_path)
    blob = layout.add(b"content", "text/plain")
    layout.path(blob.digest).unlink()
    layout.path(blob.digest).write_bytes(b"c0ntent")
    with pytest.raises(InputError, match="damaged"):
        layout.read(blob.digest)
    with pytest.raises(InputError, match="damaged"), layout.open(blob.digest):
        pass


def test_a_missing_blob_is_told_by_its_digest(tmp_path):
    missing = digest.of_bytes(b"never written")
    with pytest.raises(InputError, match=missing):
        Layout(tmp_path).read(missing)


def test_a_digest_cannot_lead_out_of_the_layout(tmp_path):
    with pytest.raises(InputError):
        Layout(tmp_path).path("sha256:../../../etc/passwd")  # type: ignore[arg-type]


def test_a_write_that_fails_leaves_nothing(tmp_path):
    layout = Layout(tmp_path)
    with pytest.raises(OSError, match="disk"), layout.writer() as blob:
        blob.write(b"half")
        raise OSError("the disk is full")
    assert list((tmp_path / "blobs" / "sha256").iterdir()) == []


def test_a_blob_that_is_too_large_or_no_json_is_refused(tmp_path):
    layout = Layout(tmp_path)
    blob = layout.add(b"[" * 100_000, "application/json").digest
    with pytest.raises(InputError, match="too large"):
        layout.read_json(blob, largest=99_999)
    with pytest.raises(InputError, match="expected JSON"):
        layout.read_json(blob)
