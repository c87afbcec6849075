"""Every kind of file through every tier."""

from pathlib import Path

import pytest
from tests.unit.compare.files import SAMPLES, Sample

from relance.compare import files
from relance.compare.model import Comparison, Tier
from relance.specification.model import Tolerance

VALUES = [float(value) for value in (3, 1, 4, 1, 5, 9, 2, 6, 5, 3.25, 5, 8)]
NEAR = [*VALUES[:-1], VALUES[-1] * (1 + 1e-9)]
FAR = [*VALUES[:5], 7.0, *VALUES[6:]]
RELATIVE = (Tolerance("**", "a test", relative=1e-6),)
every = pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)


def compared(
    folder: Path, sample: Sample, values: list[float], rules: tuple[Tolerance, ...] = ()
) -> Comparison:
    a, b = folder / f"a-{sample.name}", folder / f"b-{sample.name}"
    sample.write(a, VALUES)
    sample.otherwise(b, values)
    return files.product(sample.name, a, b, rules)


@every
def test_a_copy_is_the_same_by_its_bytes(tmp_path: Path, sample: Sample) -> None:
    a, b = tmp_path / "a", tmp_path / "b"
    sample.write(a, VALUES)
    b.write_bytes(a.read_bytes())
    assert files.product(sample.name, a, b) == Comparison(sample.name, "bytes", Tier.BYTES)


@every
def test_the_same_content_in_other_bytes_is_the_same_content(tmp_path: Path, sample: Sample) -> None:
    found = compared(tmp_path, sample, VALUES)
    assert (found.tier, found.differences) == (Tier.CONTENT, ())


@every
def test_another_value_is_told_with_its_place_and_both_values(tmp_path: Path, sample: Sample) -> None:
    found = compared(tmp_path, sample, FAR)
    assert found.tier is Tier.DIFFERENT
    assert 0 < len(found.differences) <= 10
    if sample.tolerant:
        told = " ".join(f"{d.where} {d.expected} {d.found}" for d in found.differences)
        assert "9" in told
        assert "7" in told


@pytest.mark.parametrize(
    "sample", [sample for sample in SAMPLES if sample.tolerant], ids=lambda sample: sample.name
)
def test_a_small_difference_counts_unless_it_is_declared_to_mean_nothing(
    tmp_path: Path, sample: Sample
) -> None:
    assert compared(tmp_path, sample, NEAR).tier is Tier.DIFFERENT
    found = compared(tmp_path, sample, NEAR, RELATIVE)
    assert found.tier is Tier.TOLERANCE
    assert found.differences
    assert compared(tmp_path, sample, FAR, RELATIVE).tier is Tier.DIFFERENT


@pytest.mark.parametrize(
    "sample", [sample for sample in SAMPLES if sample.movable], ids=lambda sample: sample.name
)
def test_events_in_another_order_are_the_same_events(tmp_path: Path, sample: Sample) -> None:
    moved = [*VALUES[6:10], *VALUES[:6], *VALUES[10:]]
    assert compared(tmp_path, sample, moved).tier is Tier.UNORDERED
    doubled = [*VALUES[6:10], VALUES[6], *VALUES[1:6], *VALUES[10:]]
    assert compared(tmp_path, sample, doubled).tier is Tier.DIFFERENT


@every
def test_fewer_values_are_different(tmp_path: Path, sample: Sample) -> None:
    assert compared(tmp_path, sample, VALUES[:-2]).tier is Tier.DIFFERENT


@every
@pytest.mark.parametrize("share", [0.3, 0.9])
def test_a_file_that_is_cut_off_is_no_error_of_ours(tmp_path: Path, sample: Sample, share: float) -> None:
    a, b = tmp_path / "a", tmp_path / "b"
    sample.write(a, VALUES)
    data = a.read_bytes()
    b.write_bytes(data[: int(len(data) * share)])
    for pair in ((a, b), (b, a)):
        found = files.product(sample.name, *pair)
        assert not found.tier.agrees
        assert found.differences


@every
def test_another_kind_of_file_is_told(tmp_path: Path, sample: Sample) -> None:
    a, b = tmp_path / "a", tmp_path / "b"
    sample.write(a, VALUES)
    b.write_bytes(b"\x89PNG\r\n\x1a\n" if sample.name != "plot.png" else b"%PDF-1.4")
    expected = Tier.UNREADABLE if sample.name.endswith(".gz") else Tier.OTHER_KIND
    assert files.product(sample.name, a, b).tier in {expected, Tier.OTHER_KIND}
