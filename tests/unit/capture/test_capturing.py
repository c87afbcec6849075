"""What a capture refuses, and what it says of each file and image, of a run that is written by hand."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from tests import capsules

from relance.capsule.model import Capsule, CapsuleImage, Role
from relance.capture import capturing, images
from relance.capture.capturing import Effects, Request
from relance.capture.images import Imported
from relance.digest import of_bytes, of_file, of_tree
from relance.errors import InputError
from relance.model import UNKNOWN, CodeRecord, FileDigest, ImageRecord, JobTimes, RunRecord
from relance.recording import files as records
from relance.specification.model import Visibility
from relance.store.images import LocalImage, write_local
from relance.store.squashfs import RuntimeImage
from relance.store.store import Store

FILES: Mapping[str, str] = {
    "Snakefile": "rule all:\n    input: 'results/total.json'\n",
    "config.yaml": "threshold: 100.0\n",
    "scripts/count.sh": "#!/bin/sh\ngrep -c . < $1\n",
    "scripts/cuts.txt": "25\n",
    "data/a.txt": "e\ne\n",
    "results/total.json": '{"total": 2, "observed": 3}\n',
    "results/plot.svg": "<svg/>\n",
    "logs/count.log": "done\n",
}
COUNT = replace(
    capsules.job(
        "count",
        "sh scripts/count.sh data/a.txt",
        ("data/a.txt", "scripts/cuts.txt"),
        ("results/total.json", "results/plot.svg"),
    ),
    code=CodeRecord("shell", files=("scripts/count.sh", "scripts/cuts.txt")),
    logs=("logs/count.log",),
)
DATA = """\
    observed: {title: Events in data, type: number, unit: "1", file: results/total.json, pointer: /observed,
      observed: true, visibility: blinded}
visibility: {specification: collaboration, products: collaboration, results: public}
products: {keep: [{path: "results/*"}]}
"""


def found(folder: Path, path: str) -> FileDigest:
    place = folder / path
    return FileDigest(path, "file", of_file(place), place.stat().st_size, "content")


@dataclass
class Analysis:
    """An analysis in a folder, a run of it as somebody recorded it, and a store to capture into."""

    folder: Path
    store: Store
    ran: CapsuleImage
    record: RunRecord

    def job(self, **changes: object) -> None:
        self.record = replace(self.record, jobs=(replace(self.record.jobs[0], **changes),))

    def run(self, **changes: object) -> None:
        self.record = replace(self.record, run=replace(self.record.run, **changes))

    def file(self, path: str, **changes: object) -> None:
        self.record = replace(
            self.record,
            files=tuple(
                replace(file, **changes) if file.path == path else file for file in self.record.files
            ),
        )

    def specified(self, more: str = "", *, instead: str = "visibility: ") -> None:
        """Write the specification with more in place of what begins with `instead`."""
        head, _, _ = capsules.SPECIFICATION.decode().partition(instead)
        (self.folder / "specs/counting.yaml").write_text(head + more)

    def captured(self, image: CapsuleImage | None = None, stands_for: str | None = None) -> Capsule:
        """Capture the run; its image is what ran, or another."""
        run = self.folder / ".snakemake/relance/run-1"
        run.mkdir(parents=True, exist_ok=True)
        request = Request(
            self.folder, records.write(self.record, run), self.folder / "specs/counting.yaml", name="counting"
        )
        brought = Imported(images.read(self.store.layout, image or self.ran), None, stands_for)
        cache = self.folder / ".snakemake/relance/digests.json"
        effects = Effects(lambda _name: brought, cache, lambda _done, _all: None)
        return capturing.capture(self.store, request, effects).capsule


@pytest.fixture
def analysis(tmp_path: Path) -> Analysis:
    folder = tmp_path / "counting"
    for path, text in FILES.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    (folder / "scripts/count.sh").chmod(0o755)
    (folder / "specs").mkdir()
    store = Store(tmp_path / "store")
    ran = capsules.toy_image(store.layout)
    job = replace(COUNT, image=ImageRecord(capsules.NOWHERE, ran.manifest, ran.config, UNKNOWN, "run"))
    paths = sorted({*job.inputs, *job.outputs, *(job.code.files)})
    facts = replace(
        capsules.facts(),
        snakefile=found(folder, "Snakefile"),
        configuration_files=(found(folder, "config.yaml"),),
    )
    times = (JobTimes(1_700_000_001.0, 1_700_000_002.0, UNKNOWN),)
    recorded = tuple(found(folder, path) for path in paths)
    made = Analysis(
        folder, store, ran, RunRecord(facts, (job,), recorded, 1_700_000_000.0, 1_700_000_003.0, times)
    )
    made.specified(DATA)
    return made


Broken = Callable[[Analysis], None]


def refusal(analysis: Analysis, **options: object) -> str:
    with pytest.raises(InputError) as raised:
        analysis.captured(**options)
    assert analysis.store.layout.names() == {}
    return str(raised.value)


# --- what may be captured ----------------------------------------------------------------------------------


def test_each_file_has_its_part_and_who_may_see_it(analysis: Analysis) -> None:
    capsule = analysis.captured()
    assert {file.path: file.role for file in capsule.files if not file.path.startswith("specs/")} == {
        "Snakefile": Role.SOURCE,
        "config.yaml": Role.SOURCE,
        "scripts/count.sh": Role.SOURCE,
        "scripts/cuts.txt": Role.SOURCE,  # a program reads it, whatever else it is
        "data/a.txt": Role.INPUT,
        "results/total.json": Role.PRODUCT,
        "results/plot.svg": Role.PRODUCT,
        "logs/count.log": Role.LOG,
    }
    seen = {file.path: file.visibility for file in capsule.files}
    assert seen["scripts/count.sh"] is Visibility.COLLABORATION
    assert seen["results/plot.svg"] is Visibility.COLLABORATION
    assert [file.path for file in capsule.files if file.executable] == ["scripts/count.sh"]
    assert all(file.stored for file in capsule.files)


@pytest.mark.parametrize("first", ["total", "observed"])
def test_a_file_with_one_blinded_number_is_blinded_whatever_else_it_holds(
    analysis: Analysis, first: str
) -> None:
    two = {
        name: f'    {name}: {{title: T, type: number, unit: "1", file: results/total.json, pointer: /{name}'
        f"{', observed: true, visibility: blinded' if name == 'observed' else ''}}}\n"
        for name in ("total", "observed")
    }
    order = sorted(two, key=lambda name: name != first)
    rest = DATA.partition("visibility: blinded}\n")[2]
    analysis.specified("".join(two[name] for name in order) + rest, instead="    total: ")
    capsule = analysis.captured()
    assert [file.path for file in capsule.files if file.visibility is Visibility.BLINDED] == [
        "results/total.json"
    ]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda one: one.job(status="failed"), "'count' failed"),
        (lambda one: one.job(status="unfinished"), "'count' unfinished"),
        (lambda one: one.file("results/plot.svg", altered=True), "'results/plot.svg' written since"),
        (lambda one: one.file("results/total.json", kind="gone"), "'results/total.json' gone"),
        (lambda one: (one.folder / "data/a.txt").unlink(), "'data/a.txt' not there"),
        (lambda one: (one.folder / "results/plot.svg").unlink(), "'results/plot.svg' not there"),
    ],
)
def test_a_run_that_is_not_whole_is_refused(analysis: Analysis, change: Broken, message: str) -> None:
    change(analysis)
    assert message in refusal(analysis)


@pytest.mark.parametrize(
    "path", ["Snakefile", "config.yaml", "scripts/count.sh", "data/a.txt", "results/plot.svg"]
)
def test_what_was_written_after_the_record_was_made_is_refused(analysis: Analysis, path: str) -> None:
    (analysis.folder / path).write_text(FILES[path] + "\n")
    assert f"'{path}' changed since" in refusal(analysis)


@pytest.mark.parametrize("path", ["data/runs", "results/parts"])
def test_a_folder_of_which_a_file_was_written_after_the_record_was_made_is_refused(
    analysis: Analysis, path: str
) -> None:
    (analysis.folder / path).mkdir()
    (analysis.folder / path / "1.txt").write_text("1\n")
    job = analysis.record.jobs[0]
    if path.startswith("data"):
        analysis.job(inputs=(*job.inputs, path))
    else:
        analysis.job(outputs=(*job.outputs, path))
    whole = FileDigest(path, "folder", of_tree(analysis.folder / path), 2, "content")
    analysis.record = replace(analysis.record, files=(*analysis.record.files, whole))
    assert analysis.captured().trees == {path: whole.digest}
    (analysis.folder / path / "1.txt").write_text("2\n")
    analysis.store.layout.unname("capsule/counting:1.0")
    assert f"'{path}' changed since" in refusal(analysis)


def test_an_input_that_is_kept_elsewhere_may_be_gone_here(analysis: Analysis) -> None:
    path, file = "data/a.txt", found(analysis.folder, "data/a.txt")
    where = f"sha256: {file.digest.removeprefix('sha256:')}, locations: [https://example.org/a.txt]"
    kept = f'external: [{{path: {path}, size: {file.size}, {where}}}], keep: [{{path: "results/*"}}]'
    analysis.specified(DATA.replace('keep: [{path: "results/*"}]', kept))
    (analysis.folder / path).unlink()
    (known,) = [one for one in analysis.captured().files if one.path == path]
    assert (known.digest, known.size, known.stored) == (file.digest, file.size, None)
    assert known.locations == ("https://example.org/a.txt",)


# --- images ------------------------------------------------------------------------------------------------


def test_another_image_than_the_one_that_ran_is_refused(analysis: Analysis) -> None:
    other = capsules.toy_image(analysis.store.layout, b"another")
    said = refusal(analysis, image=other)
    assert "is not the one that the run used" in said
    assert analysis.ran.config in said


def test_an_image_that_was_built_anew_since_the_run_is_refused(analysis: Analysis) -> None:
    anew = capsules.toy_image(analysis.store.layout, b"anew")
    nothing = of_bytes(b"")
    runtime = RuntimeImage(Path("/store/x.sqsh"), nothing, 1)
    local = LocalImage(nothing, anew.config, anew.manifest, nothing, "podman", "localhost/x:1", runtime)
    (analysis.folder / "containers").mkdir()
    write_local(analysis.folder, {"counting": local})
    used = ImageRecord("docker://relance/counting", config=analysis.ran.config, resolved="run")
    analysis.job(image=used)
    assert "image 'counting' is not the one that the run used" in refusal(analysis)
    analysis.job(image=replace(used, config=anew.config))
    assert [image.manifest for image in analysis.captured().images] == [anew.manifest]


def test_an_image_that_stands_for_the_one_that_ran_is_told_to_be_another(analysis: Analysis) -> None:
    other = capsules.toy_image(analysis.store.layout, b"another")
    (image,) = analysis.captured(other, "the one that is gone").images
    assert (image.config, image.resolved) == (other.config, "afterwards")
    assert image.stands_for == "the one that is gone"


def test_a_secret_in_an_image_stops_a_capture(analysis: Analysis) -> None:
    key = "-----BEGIN " + "RSA PRIVATE KEY-----\n" + "MIIEow" * 20 + "\n-----END " + "RSA PRIVATE KEY-----\n"
    image = capsules.toy_image(analysis.store.layout, key.encode())
    written = replace(analysis.record.jobs[0].image, manifest=image.manifest, config=image.config)
    analysis.job(image=written)
    said = refusal(analysis, image=image)
    assert "etc/toy" in said
    assert "MIIEow" not in said


# --- what a rerun lacks ------------------------------------------------------------------------------------


def test_what_a_rerun_needs_and_the_capsule_lacks_is_told(analysis: Analysis) -> None:
    needed = "outside: [{kind: cvmfs, name: conditions, reason: it is fifty terabytes, rules: [count]}]\n"
    analysis.specified(DATA + needed)
    elsewhere = FileDigest(
        "/cuts/shared.yaml", "file", of_file(analysis.folder / "config.yaml"), 17, "content"
    )
    analysis.run(read_outside=(elsewhere,))
    analysis.job(image=None)
    assert analysis.captured().not_closed == (
        "cvmfs: conditions (rules count): it is fifty terabytes",
        "the Snakefile reads /cuts/shared.yaml, which lies outside of the analysis",
        "rules without container ran with programs of the machine: count",
    )
