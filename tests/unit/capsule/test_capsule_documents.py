import dataclasses
import json
import math
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from tests import capsules

from relance import digest, schema
from relance.capsule import documents, encoding
from relance.capsule.documents import Documents
from relance.capsule.encoding import MalformedError, decode, encode
from relance.capsule.model import (
    Capsule,
    CapsuleFile,
    CapsuleImage,
    CapsuleJob,
    CapsuleLink,
    Parent,
    Role,
)
from relance.capsule.ordering import ordered
from relance.errors import InputError
from relance.model import (
    UNKNOWN,
    CodeRecord,
    Digest,
    FileDigest,
    ImageRecord,
    JobRecord,
    JobTimes,
    Parameter,
    Part,
    RunFacts,
    Stored,
)
from relance.specification import reading
from relance.specification.model import Visibility

SPECIFICATION = reading.parse(capsules.SPECIFICATION, Path("specification.yaml"))
text = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=12)
digests = st.binary(max_size=3).map(digest.of_bytes)
unknown = st.just(UNKNOWN)
numbers = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**60), 2**60)
plain = st.recursive(
    st.none() | st.booleans() | numbers | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=6,
)
sizes = st.integers(0, 2**50)
times = st.floats(0, 4e9) | unknown
texts = st.lists(text, max_size=3).map(tuple)
file_digests = st.builds(
    FileDigest,
    text,
    st.sampled_from(["file", "folder", "gone"]),
    digests | unknown,
    sizes | unknown,
    st.sampled_from(["content", "snakemake", "none"]),
    st.booleans(),
)
some_files = st.lists(file_digests, max_size=2).map(tuple) | unknown
facts = st.builds(
    RunFacts,
    made=st.sampled_from(["during the run", "afterwards"]),
    graph=st.booleans(),
    status=st.sampled_from(["ok", "failed", "unfinished", "unknown"]),
    relance=text,
    snakemake=text,
    command=texts | unknown,
    snakefile=file_digests | unknown,
    included=some_files,
    configuration_files=some_files,
    configuration=st.dictionaries(text, plain, max_size=3) | unknown,
    configuration_digest=digests | unknown,
    platform=text,
    processor=text,
    libc=text,
    runtime=text,
    runtime_version=text,
    targets=texts,
    read=some_files,
    environments=st.dictionaries(text, digests, max_size=2),
)
records = st.builds(
    JobRecord,
    rule=text,
    wildcards=st.dictionaries(text, text, max_size=2) | unknown,
    status=st.sampled_from(["ok", "failed", "unfinished", "not run", "unknown"]),
    exit=st.integers(0, 255) | unknown | st.none(),
    attempts=st.integers(1, 3) | unknown,
    command=st.text(max_size=20).filter(lambda one: one.isascii()) | st.none(),
    parameters=st.lists(st.builds(Parameter, text | st.none(), plain, st.booleans()), max_size=2).map(tuple)
    | unknown,
    code=st.builds(
        CodeRecord,
        st.sampled_from(["shell", "script", "notebook", "run", "other", "unknown"]),
        text | st.none(),
        digests | unknown,
        texts | unknown,
    ),
    image=st.builds(
        ImageRecord, text, digests, digests | unknown, digests, st.sampled_from(["written", "unknown"])
    )
    | unknown
    | st.none(),
    inputs=texts,
    outputs=texts,
    logs=texts,
    temporary=texts | unknown,
    protected=texts | unknown,
    directories=texts | unknown,
    threads=st.integers(1, 64) | unknown,
)
stored = st.builds(Stored, digests, sizes, st.lists(st.builds(Part, digests, sizes), max_size=3).map(tuple))
files = st.builds(
    CapsuleFile,
    text,
    st.sampled_from(Role),
    digests,
    sizes,
    stored | st.none(),
    st.booleans(),
    texts,
    st.just("0123abcd") | st.none(),
    st.sampled_from(Visibility),
)
images = st.builds(
    CapsuleImage,
    texts,
    digests,
    digests,
    sizes,
    digests | st.none(),
    text | st.none(),
    st.sampled_from(["run", "afterwards"]),
)
captured = st.builds(CapsuleJob, records, st.builds(JobTimes, times, times, sizes | unknown))
wholes = st.builds(
    Capsule,
    specification=st.just(SPECIFICATION),
    specification_text=st.just(capsules.SPECIFICATION),
    run=facts,
    started=st.floats(0, 4e9) | st.none(),
    ended=st.floats(0, 4e9) | st.none(),
    files=st.lists(files, max_size=3).map(tuple),
    links=st.lists(st.builds(CapsuleLink, text, text), max_size=2).map(tuple),
    folders=texts,
    trees=st.dictionaries(text, digests, max_size=2),
    jobs=st.lists(captured, max_size=3).map(tuple),
    images=st.lists(images, max_size=2).map(tuple),
    unknown=texts,
    not_closed=texts,
    parent=st.builds(
        Parent,
        digests,
        st.dictionaries(text, numbers | text | st.booleans(), max_size=2),
        st.dictionaries(text, digests, max_size=2),
    )
    | st.none(),
    format_version=st.just(1),
)


def read(written: Documents) -> Capsule:
    return documents.read(written, SPECIFICATION, capsules.SPECIFICATION)


@settings(max_examples=150, deadline=None)
@given(wholes)
def test_a_capsule_is_read_back_from_its_documents_as_it_was_written(capsule: Capsule) -> None:
    assert read(documents.write(capsule)) == capsule


@settings(max_examples=60, deadline=None)
@given(wholes, st.randoms(use_true_random=False))
def test_equal_capsules_have_equal_documents_in_whatever_order_they_were_given(
    capsule: Capsule, chance: random.Random
) -> None:
    def shuffled(items: Any) -> Any:
        return tuple(chance.sample(list(items), len(items)))

    order = shuffled(range(len(capsule.jobs)))
    other = dataclasses.replace(
        capsule,
        jobs=tuple(capsule.jobs[number] for number in order),
        files=shuffled(dict.fromkeys(capsule.files)),
        unknown=shuffled(capsule.unknown),
    )
    if len({file.path for file in capsule.files}) == len(capsule.files):
        assert documents.write(ordered(other)) == documents.write(ordered(capsule))


@settings(max_examples=40, deadline=None)
@given(wholes)
def test_documents_follow_their_schemas(capsule: Capsule) -> None:
    written = documents.write(capsule)
    for name, data in (
        ("capsule", written.capsule),
        ("capsule-jobs", written.jobs),
        ("capsule-files", written.files),
    ):
        Draft202012Validator(schema.bundled(name)).validate(json.loads(data))


def properties(name: str, *place: str) -> set[str]:
    """Return the keys that a schema knows at a place."""
    found: Any = schema.bundled(name)
    for key in place:
        found = found[key] if not key.isdigit() else found[int(key)]
    return set(found["properties"])


def test_schemas_know_every_field_and_no_other() -> None:
    def names(kind: type) -> set[str]:
        return {field.name for field in dataclasses.fields(kind)}

    assert properties("capsule") == names(documents.CapsuleDocument)
    assert properties("capsule", "properties", "run") == names(RunFacts)
    assert properties("capsule", "properties", "images", "items") == names(CapsuleImage)
    assert properties("capsule", "properties", "parent", "anyOf", "1") == names(Parent)
    assert properties("capsule", "$defs", "file") == names(FileDigest)
    jobs = ("properties", "jobs", "items")
    assert properties("capsule-jobs", *jobs) == names(CapsuleJob)
    assert properties("capsule-jobs", *jobs, "properties", "times") == names(JobTimes)
    assert properties("capsule-jobs", "$defs", "record") == names(JobRecord)
    record = ("$defs", "record", "properties")
    assert properties("capsule-jobs", *record, "code") == names(CodeRecord)
    assert properties("capsule-jobs", *record, "image", "anyOf", "2") == names(ImageRecord)
    assert properties("capsule-files") == names(documents.FilesDocument)
    assert properties("capsule-files", "properties", "files", "items") == names(CapsuleFile)
    assert properties("capsule-files", "properties", "links", "items") == names(CapsuleLink)


def test_jobs_are_renumbered_with_their_order(tmp_path: Path) -> None:
    one, two, total = capsules.jobs(None)
    capsule = dataclasses.replace(
        capsules.small(capsules.Layout(tmp_path / "content")),
        jobs=(dataclasses.replace(total, needs=(2, 1)), two, one),
    )
    assert ordered(capsule).jobs == (one, two, total)


@pytest.mark.parametrize("needs", [((1,), (0,)), ((0,), ()), ((5,), ()), ((-1,), ())])
def test_jobs_that_need_each_other_in_a_circle_or_none_that_is_there_are_refused(
    tmp_path: Path, needs: tuple[tuple[int, ...], ...]
) -> None:
    one, two, _ = capsules.jobs(None)
    capsule = capsules.small(capsules.Layout(tmp_path / "content"))
    jobs = tuple(
        dataclasses.replace(job, needs=needed) for job, needed in zip((one, two), needs, strict=True)
    )
    with pytest.raises(InputError, match="no order"):
        ordered(dataclasses.replace(capsule, jobs=jobs))


@pytest.fixture
def written(tmp_path: Path) -> Documents:
    return documents.write(ordered(capsules.small(capsules.Layout(tmp_path / "content"))))


def test_what_has_its_default_is_left_out(written: Documents) -> None:
    file = json.loads(written.files)["files"][0]
    assert sorted(file) == ["digest", "path", "role", "size", "stored"]


def test_a_newer_format_is_refused_with_what_to_do(written: Documents) -> None:
    newer = written.capsule.replace(b'"version":1}', b'"version":2}')
    assert newer != written.capsule
    with pytest.raises(
        InputError, match=r"found version 2, expected version 1; read it with a newer relance"
    ):
        read(dataclasses.replace(written, capsule=newer))


@pytest.mark.parametrize("version", ["0", '"1"', "true", "1.0", "null"])
def test_a_version_that_is_none_is_refused(written: Documents, version: str) -> None:
    other = written.jobs.replace(b'"version":1', f'"version":{version}'.encode())
    with pytest.raises(InputError):
        read(dataclasses.replace(written, jobs=other))


@pytest.mark.parametrize(
    ("before", "after", "found"),
    [
        (b'"role":"input"', b'"role":"outcome"', "files.0.role|files.1.role|files.2.role"),
        (b'"executable":true', b'"runnable":true', "runnable"),
        (b'"executable":true', b'"executable":1', "true or false"),
        (b'"executable":true', b'"executable":false', "told otherwise"),
        (b'"digest":"sha256:', b'"digest":"sha512:', "64 hexadecimal digits"),
        (b'{"digest"', b'{"digest":"x","digest"', "twice"),
        (b'"size":', b'"size":NaN,"size":', "NaN"),
        (b'"size":', b'"size": ', "told otherwise"),
        (b'"files":[', b'"files":' + b"[" * 100_000, "no end of brackets|JSON in UTF-8"),
        (b'"path":"config', b'"path":"\\ud800config', "canonical JSON"),
        (b'"path":"config', b'"path":"\xff', "UTF-8"),
        (b'"format":"relance-capsule-files"', b'"format":"else"', "something else"),
        (b"{", b"[", "JSON"),
    ],
)
def test_a_document_with_anything_else_in_it_is_refused(
    written: Documents, before: bytes, after: bytes, found: str
) -> None:
    broken = written.files.replace(before, after, 1)
    assert broken != written.files
    with pytest.raises(InputError, match=found):
        read(dataclasses.replace(written, files=broken))


def test_a_number_too_large_to_be_one_is_refused(written: Documents) -> None:
    broken = written.capsule.replace(b'"threshold":100', b'"threshold":1e999')
    assert broken != written.capsule
    with pytest.raises(InputError):
        read(dataclasses.replace(written, capsule=broken))


def test_documents_of_another_analysis_are_refused(written: Documents) -> None:
    other = written.capsule.replace(b'"name":"counting"', b'"name":"other"')
    with pytest.raises(InputError, match=r"counting 1\.0"):
        read(dataclasses.replace(written, capsule=other))


def test_a_missing_key_is_told_by_name(written: Documents) -> None:
    jobs = json.loads(written.jobs)
    del jobs["jobs"][1]["record"]["rule"]
    broken = digest.canonical_json(jobs)
    with pytest.raises(InputError, match=r"jobs\.1\.record: found no key 'rule'"):
        read(dataclasses.replace(written, jobs=broken))


@given(plain)
def test_no_value_is_taken_for_a_dataclass_by_mistake(value: object) -> None:
    try:
        decoded = decode(JobTimes, value)
    except MalformedError:
        return
    assert encode(decoded) == value


def test_an_infinite_number_is_no_number() -> None:
    with pytest.raises(MalformedError):
        decode(JobTimes, {"started": math.inf, "ended": 0, "peak_memory": 0})


def test_a_type_without_json_is_a_mistake_of_the_program() -> None:
    with pytest.raises(TypeError):
        encoding.decode(complex, 1)


def test_a_digest_is_a_digest() -> None:
    assert decode(Part, {"digest": "sha256:" + "0" * 64, "size": 1}) == Part(Digest("sha256:" + "0" * 64), 1)
