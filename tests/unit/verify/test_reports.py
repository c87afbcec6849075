"""Reports and approvals: written, read back, checked against their schemas, and kept beside their capsule."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from tests import capsules

from relance import digest, schema
from relance.capsule import oci, reading, writing
from relance.capsule.encoding import decode, encode
from relance.compare.model import Difference, Tier
from relance.errors import InputError
from relance.model import Digest
from relance.store.descriptors import MANIFEST_TYPE, Descriptor
from relance.store.layout import Layout
from relance.verify import artifacts
from relance.verify.model import (
    APPROVAL_FORMAT,
    REPORT_FORMAT,
    VERSION,
    Approval,
    Integrity,
    Machine,
    Problem,
    Report,
    ReportedProduct,
    ReportedResult,
    Verdict,
)

TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=8)
NUMBER = st.floats(allow_nan=False, allow_infinity=False)
DIGESTS = st.binary(max_size=2).map(digest.of_bytes)
for kind, strategy in ((str, TEXT), (float, NUMBER), (int, st.integers(0, 2**53)), (Digest, DIGESTS)):
    st.register_type_strategy(kind, strategy)
MACHINES = st.none() | st.builds(Machine, TEXT, TEXT, TEXT, TEXT, TEXT)
PRODUCTS = st.builds(
    ReportedProduct,
    TEXT,
    st.sampled_from(Tier),
    TEXT,
    st.none() | DIGESTS,
    st.none() | DIGESTS,
    st.lists(st.builds(Difference, TEXT, TEXT, TEXT), max_size=2).map(tuple),
    st.integers(0, 9),
    st.lists(TEXT, max_size=2).map(tuple),
)
NUMBERS = st.lists(st.none() | NUMBER, max_size=5).map(tuple)
RESULTS = st.builds(
    ReportedResult, TEXT, TEXT, st.booleans(), NUMBERS, NUMBERS, NUMBER, st.booleans(), TEXT, TEXT
)
REPORTS = st.builds(
    Report,
    st.just(REPORT_FORMAT),
    st.just(VERSION),
    TEXT,
    DIGESTS,
    TEXT,
    st.sampled_from(Verdict),
    NUMBER,
    NUMBER,
    st.builds(
        Integrity,
        st.integers(0, 9),
        st.integers(0, 9),
        st.lists(st.builds(Problem, TEXT, TEXT, TEXT), max_size=2).map(tuple),
        st.integers(0, 9),
    ),
    st.booleans(),
    st.none() | TEXT,
    MACHINES,
    MACHINES,
    st.lists(PRODUCTS, max_size=2).map(tuple),
    st.lists(RESULTS, max_size=2).map(tuple),
    st.lists(TEXT, max_size=2).map(tuple),
    TEXT,
)


@given(REPORTS)
@settings(max_examples=100, deadline=None)
def test_a_report_is_read_back_from_its_canonical_json_and_follows_its_schema(report: Report) -> None:
    value = json.loads(digest.canonical_json(encode(report)))
    Draft202012Validator(schema.bundled("verify-report")).validate(value)
    assert decode(Report, value) == report


@given(by=TEXT, time=NUMBER, comment=TEXT)
def test_an_approval_is_read_back_and_follows_its_schema(by: str, time: float, comment: str) -> None:
    approval = Approval(APPROVAL_FORMAT, VERSION, digest.of_bytes(b""), by, time, comment)
    value = json.loads(digest.canonical_json(encode(approval)))
    Draft202012Validator(schema.bundled("approval")).validate(value)
    assert decode(Approval, value) == approval


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path)


@pytest.fixture
def described(layout: Layout) -> Descriptor:
    return writing.write(layout, capsules.small(layout), name="counting")


def report_on(described: Descriptor, time: float) -> Report:
    verdict = Verdict.REPRODUCED
    return Report(REPORT_FORMAT, VERSION, "1", described.digest, "x 1", verdict, time, 2.5, Integrity(1, 2))


def test_reports_and_approvals_refer_to_the_capsule_which_stays_as_it_was(
    layout: Layout, described: Descriptor
) -> None:
    later, earlier = report_on(described, 200.5), report_on(described, 100.0)
    approval = Approval(APPROVAL_FORMAT, VERSION, described.digest, "A. Physicist", 150.0, "as published")
    for what in (later, approval, earlier):
        artifacts.attach(layout, described, what)
    assert [found for _, found in artifacts.reports(layout, described)] == [earlier, later]
    assert [found for _, found in artifacts.approvals(layout, described)] == [approval]
    assert len(layout.referrers(described.digest)) == 3
    assert reading.find(layout, "counting") == reading.find(layout, described.digest)


def test_the_same_report_is_kept_once(layout: Layout, described: Descriptor) -> None:
    for _ in range(2):
        artifacts.attach(layout, described, report_on(described, 1.0))
    assert len(layout.referrers(described.digest)) == 1


def attached(layout: Layout, described: Descriptor, data: bytes) -> None:
    """Say that some bytes are a report on a capsule."""
    blob = layout.add(data, "application/json")
    empty = layout.add(oci.EMPTY, oci.EMPTY_TYPE)
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "artifactType": artifacts.REPORT_TYPE,
        "config": empty.to_json(),
        "layers": [blob.to_json()],
        "subject": Descriptor(described.media_type, described.digest, described.size).to_json(),
    }
    layout.attach(replace(layout.add_json(manifest, MANIFEST_TYPE), artifact_type=artifacts.REPORT_TYPE))


def test_what_only_claims_to_be_a_report_is_refused(layout: Layout, described: Descriptor) -> None:
    attached(layout, described, b'{"verdict": "reproduced"}')
    with pytest.raises(InputError):
        list(artifacts.reports(layout, described))


def test_the_report_on_another_capsule_says_nothing_of_this_one(
    layout: Layout, described: Descriptor
) -> None:
    other = replace(described, digest=digest.of_bytes(b"another capsule"))
    attached(layout, described, digest.canonical_json(encode(report_on(other, 1.0))))
    assert list(artifacts.reports(layout, described)) == []
