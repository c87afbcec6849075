import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests import capsules

from relance.capsule.model import Capsule, CapsuleFile, Role
from relance.capsule.ordering import ordered
from relance.capsule.replay import replay_script, verdicts
from relance.model import UNKNOWN, CodeRecord, ImageRecord
from relance.specification import reading
from relance.specification.model import Outside
from relance.store.layout import Layout

text = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=60)


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path / "content")


@pytest.fixture
def capsule(layout: Layout) -> Capsule:
    return ordered(capsules.small(layout, image=capsules.toy_image(layout)))


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Capsule:
    layout = Layout(tmp_path_factory.mktemp("shared") / "content")
    return ordered(capsules.small(layout, image=capsules.toy_image(layout)))


def called(script: str, function: str, shell: str = "sh") -> list[list[str]]:
    """Return the words of each call of a function, as a shell reads them."""
    body = script.partition("\njobs=")[2].partition("\n")[2]
    stubs = "".join(
        f"{name}() {{ :; }}\n"
        for name in (
            "start image folder place bring outside lead logs job leave same finish".split()  # noqa: SIM905
        )
    )
    spy = f"{function}() {{ printf '%s\\0' \"$@\"; printf '\\0\\0'; }}\n"
    done = subprocess.run([shell], input=(stubs + spy + body).encode(), capture_output=True, check=True)
    assert done.stderr == b""
    calls = done.stdout.decode().split("\0\0\0")[:-1]
    return [call.split("\0") for call in calls]


def test_the_script_is_right_for_every_shell(capsule: Capsule) -> None:
    for shell in ("dash", "bash", "busybox"):
        words = [shell, "sh", "-n"] if shell == "busybox" else [shell, "-n"]
        try:
            done = subprocess.run(
                words, input=replay_script(capsule).encode(), capture_output=True, check=False
            )
        except FileNotFoundError:
            continue
        assert (done.returncode, done.stderr) == (0, b"")


@settings(max_examples=100, deadline=None)
@given(command=text.filter(bool), name=text, shell=st.sampled_from(["sh", "bash"]))
def test_any_command_survives_the_quoting(shared: Capsule, command: str, name: str, shell: str) -> None:
    record = replace(shared.jobs[0].record, command=command, wildcards={"sample": name})
    capsule = replace(shared, jobs=(replace(shared.jobs[0], record=record),))
    ((number, shown, _, found, *outputs),) = called(replay_script(capsule), "job", shell)
    assert (number, found, outputs) == ("1", command, ["results/a.count"])
    assert "\n" not in shown


@settings(max_examples=50, deadline=None)
@given(
    name=st.text(st.characters(categories=["L", "N", "P", "S", "Zs"], exclude_characters="/\\"), min_size=1)
)
def test_any_path_survives_the_quoting(shared: Capsule, name: str) -> None:
    path = f"data/{name}"
    file = replace(shared.files[0], path=path)
    ((*_, mode, found, blob),) = called(replay_script(replace(shared, files=(file,))), "place")
    assert (mode, found, f"sha256:{blob}") == ("644", path, file.digest)


@settings(max_examples=50, deadline=None)
@given(title=text.filter(lambda one: bool(one.strip())))
def test_a_title_stays_a_comment(shared: Capsule, title: str) -> None:
    identity = replace(shared.specification.identity, title=title, version=f"1\n{title}")
    script = replay_script(replace(shared, specification=replace(shared.specification, identity=identity)))
    lines = script.split("\nset -eu\n")[0].splitlines()
    assert all(line.startswith("#") for line in script.split("set -eu")[0].split("\n")[:-1])
    assert len(lines) == 4


def test_files_in_parts_are_joined_from_their_blobs(capsule: Capsule) -> None:
    from relance.model import Digest, Part

    stored = capsule.files[0].stored
    assert stored is not None
    parts = tuple(Part(Digest(f"sha256:{number:064x}"), 21) for number in (1, 2))
    file = replace(capsule.files[0], stored=replace(stored, parts=parts))
    ((*_, first, second),) = called(replay_script(replace(capsule, files=(file,))), "place")
    assert (int(first, 16), int(second, 16)) == (1, 2)


def test_a_file_that_is_only_known_has_to_be_brought(capsule: Capsule) -> None:
    file = replace(capsule.files[2], stored=None, locations=("https://example.org/a b",))
    script = replay_script(replace(capsule, files=(file,)))
    assert called(script, "place") == []
    assert called(script, "bring") == [
        [file.digest.removeprefix("sha256:"), "4", "data/a.txt", "https://example.org/a b"]
    ]


def test_an_input_that_lay_elsewhere_is_shown_at_its_path(capsule: Capsule) -> None:
    far = replace(capsule.files[0], path="/data/far.txt", role=Role.INPUT)
    script = replay_script(replace(capsule, files=(far,)))
    assert called(script, "outside") == [["1", "/data/far.txt"]]
    assert called(script, "place")[0][2] == ".outside/1"


def changed(capsule: Capsule, position: int, **changes: object) -> Capsule:
    job = capsule.jobs[position]
    jobs = list(capsule.jobs)
    jobs[position] = replace(job, record=replace(job.record, **changes))
    return replace(capsule, jobs=tuple(jobs))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"command": None, "code": CodeRecord("script")}, "needs Snakemake"),
        ({"command": UNKNOWN}, "not known"),
        ({"image": None}, "image"),
        ({"image": UNKNOWN}, "image"),
        ({"image": ImageRecord("docker://elsewhere")}, "image"),
        ({"outputs": ("/scratch/a.count",)}, "writes outside"),
        ({"inputs": ("../a.txt",)}, "reads outside"),
        ({"inputs": ("/data/a:b.txt",)}, "can't be shown"),
    ],
)
def test_what_the_script_cannot_run_is_named_with_the_reason(
    capsule: Capsule, changes: dict[str, object], reason: str
) -> None:
    other = changed(capsule, 0, **changes)
    script = replay_script(other)
    assert [verdict.image is not None for verdict in verdicts(other)] == [False, True, True]
    ((name, why),) = called(script, "leave")
    assert name == "count sample=a"
    assert reason in why
    assert [words[1] for words in called(script, "job")] == ["count sample=b", "sum"]


def test_a_job_that_needs_what_lies_outside_is_left(capsule: Capsule) -> None:
    outside = Outside("network", "a conditions database", "it is large", ("sum",))
    other = replace(capsule, specification=replace(capsule.specification, outside=(outside,)))
    assert [verdict.reason for verdict in verdicts(other)][:2] == ["", ""]
    assert "a conditions database (network)" in verdicts(other)[2].reason


def test_what_such_a_job_made_comes_from_the_capsule_and_is_not_compared(capsule: Capsule) -> None:
    script = replay_script(changed(capsule, 0, command=None))
    assert "results/a.count" in [words[2] for words in called(script, "place")]
    assert [words[1] for words in called(script, "same")] == ["results/b.count", "results/total.json"]


def test_without_what_it_made_the_jobs_after_it_are_left_too(capsule: Capsule) -> None:
    def known_only(file: CapsuleFile) -> CapsuleFile:
        return replace(file, stored=None) if file.path == "results/a.count" else file

    other = replace(changed(capsule, 0, command=None), files=tuple(map(known_only, capsule.files)))
    assert [words[0] for words in called(replay_script(other), "leave")] == ["count sample=a", "sum"]


def test_an_image_is_told_by_its_configuration_or_else_by_what_is_written(capsule: Capsule) -> None:
    image = capsule.images[0]
    for record in (
        ImageRecord("something.sqsh", config=image.config),
        ImageRecord(image.written[0]),
    ):
        assert verdicts(changed(capsule, 0, image=record))[0].image == image
    other = ImageRecord(image.written[0], config=capsule.files[0].digest)
    assert verdicts(changed(capsule, 0, image=other))[0].image is None


def test_members_of_a_folder_that_a_job_made_are_compared(capsule: Capsule) -> None:
    member = replace(capsule.files[0], path="results/parts/1.txt", role=Role.PRODUCT)
    other = changed(capsule, 0, outputs=("results/parts",), directories=("results/parts",))
    script = replay_script(replace(other, files=(*capsule.files, member)))
    assert "results/parts/1.txt" in [words[1] for words in called(script, "same")]


def test_the_specification_of_these_tests_is_one() -> None:
    assert reading.parse(capsules.SPECIFICATION, Path("x")).identity.name == "counting"
