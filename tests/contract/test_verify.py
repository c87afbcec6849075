"""Real capsules verified as users do: moved, without a network, damaged, and run again in their images."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import hist
import numpy as np
import psutil
import pytest
import uproot
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from tests import capsules

import relance
from relance.capsule import writing
from relance.capsule.model import Capsule, CapsuleFile, CapsuleImage, Role
from relance.specification import reading as specifications
from relance.store.descriptors import Descriptor
from relance.store.store import Store

SNAKEFILE = rb"""
configfile: "config.yaml"

IMAGE = "docker://registry.example/counting:1.0"

rule all:
    input: "results/total.json", config["more"]

rule count:
    input: "data/{s}.txt", "scripts/count.sh"
    output: "results/{s}.count"
    container: IMAGE
    shell: "bash scripts/count.sh {input[0]} > {output}"

rule sum:
    input: expand("results/{s}.count", s=["a", "b"])
    output: "results/total.json"
    log: "logs/sum.log"
    container: IMAGE
    shell:
        '''
        total={config[offset]}; for f in {input}; do total=$((total + $(cat $f))); done
        echo '2 samples' > {log}; printf '{{"total": %d}}\n' $total > {output}
        '''

rule draw:
    input: "data/{name}.late"
    output: "results/{name}.drawn"
    container: IMAGE
    shell: "cp {input} {output}"

rule lottery:
    output: "results/lottery.txt"
    container: IMAGE
    shell: "echo $RANDOM$RANDOM$RANDOM$RANDOM > {output}"

rule around:
    input: "results/lottery.txt"
    output: "results/around.txt"
    container: IMAGE
    shell: "echo done > {output}"

rule fails:
    output: "results/never.txt"
    container: IMAGE
    shell: "echo no such quark >&2; exit 7"
"""
CASES = b"""
validation:
  shifted:
    title: Two events more
    configuration: shifted.yaml
    expected:
      total: {value: 7, absolute: 0.5, because: whole numbers}
  wrong:
    title: What never was
    configuration: shifted.yaml
    expected:
      total: {value: 9, absolute: 0.5, because: whole numbers}
"""


@dataclass(frozen=True)
class Verifying:
    """A store with an image, and the command."""

    store: Store
    image: CapsuleImage

    def capsule(
        self, *more: str, files: Mapping[str, tuple[bytes, Role]] | None = None, extra: bytes = b""
    ) -> Capsule:
        """Return a small capsule whose run made these products too."""
        layout = self.store.layout
        given = {
            "Snakefile": (SNAKEFILE, Role.SOURCE),
            "config.yaml": (f"offset: 0\nmore: {json.dumps(more)}\n".encode(), Role.SOURCE),
            "shifted.yaml": (b"offset: 2\n", Role.SOURCE),
            **(files or {}),
        }
        capsule = capsules.small(layout, image=self.image)
        kept = [file for file in capsule.files if file.path not in given]
        kept += [capsules.kept(layout, path, data, role) for path, (data, role) in given.items()]
        text = capsules.SPECIFICATION + extra
        configuration = {"offset": 0, "more": list(more)}
        run = replace(capsule.run, targets=("results/total.json", *more), configuration=configuration)
        return replace(
            capsule,
            files=tuple(sorted(kept, key=lambda file: file.path)),
            run=run,
            specification=specifications.parse(text, Path("specification.yaml")),
            specification_text=text,
        )

    def written(self, capsule: Capsule) -> Descriptor:
        return writing.write(self.store.layout, capsule, name="counting")

    def __call__(self, *arguments: str, network: bool = True) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-m", "relance", *arguments]
        if not network:
            command = ["unshare", "--net", *command]
        environment = os.environ | {"RELANCE_STORE": str(self.store.folder)}
        environment["XDG_CACHE_HOME"] = str(self.store.folder.parent / "cache")
        return subprocess.run(
            command, cwd=self.store.folder, env=environment, capture_output=True, text=True, check=False
        )

    def start(self, *arguments: str, scratch: Path) -> "subprocess.Popen[bytes]":
        """Start the command as a shell on a terminal does, in a process group of its own."""
        environment = os.environ | {"RELANCE_STORE": str(self.store.folder), "TMPDIR": str(scratch)}
        environment["XDG_CACHE_HOME"] = str(self.store.folder.parent / "cache")
        command = [sys.executable, "-m", "relance", *arguments]
        return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, start_new_session=True)

    def report(self, *arguments: str, network: bool = True) -> tuple[int, Any]:
        done = self("verify", "counting", "--json", "--quiet", *arguments, network=network)
        assert done.stdout, done.stderr
        return done.returncode, json.loads(done.stdout)


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Verifying:
    store = Store(tmp_path_factory.mktemp("store"))
    image = capsules.shell_image(store.layout, tmp_path_factory.mktemp("image"))
    store.runtime.mkdir(parents=True)
    runtime = capsules.runtime_image(store.layout, image, store.runtime)
    return Verifying(store, replace(image, runtime=runtime.digest))


@pytest.fixture
def verifying(original: Verifying, tmp_path: Path) -> Verifying:
    """The store in another folder, with nothing of the first."""
    shutil.copytree(original.store.folder, tmp_path / "elsewhere", dirs_exist_ok=True)
    return replace(original, store=Store(tmp_path / "elsewhere"))


def tiers(report: Any) -> dict[str, str]:
    return {product["path"]: product["tier"] for product in report["products"]}


def png(folder: Path, date: str) -> bytes:
    texts = PngInfo()
    texts.add_text("Creation Time", date)
    path = folder / "plot.png"
    Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8)).save(path, pnginfo=texts)
    return path.read_bytes()


def root(folder: Path) -> bytes:
    """Return a file of histograms; each has another date and another identifier inside."""
    filled = hist.Hist.new.Reg(5, 0, 5, name="mll").Weight()
    filled.fill([0.5, 1.5, 1.5], weight=[1.0, 2.0, 0.5])
    path = folder / "histograms.root"
    with uproot.recreate(path) as file:
        file["mll"] = filled
    return path.read_bytes()


@pytest.mark.container
@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_an_impatient_second_signal_leaves_nothing_of_a_rerun_either(
    verifying: Verifying, tmp_path: Path, number: signal.Signals, status: int
) -> None:
    sleeping = SNAKEFILE.replace(b"echo no such quark >&2; exit 7", b": > begun; sleep 64.5")
    verifying.written(
        verifying.capsule(
            "results/never.txt",
            files={"Snakefile": (sleeping, Role.SOURCE), "results/never.txt": (b"", Role.PRODUCT)},
        )
    )
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    arguments = ("verify", "counting", "--rerun", "--runtime", "apptainer")
    with verifying.start(*arguments, scratch=scratch) as running:
        while not list(scratch.glob("*/analysis/begun")):
            assert running.poll() is None, running.communicate()
            time.sleep(0.02)
        for _ in range(3):  # Ctrl-C, pressed until something is seen
            os.killpg(running.pid, number)
            time.sleep(0.05)
        _, told = running.communicate()
    assert (running.returncode, b"type the same command to go on" in told) == (status, True)
    assert list(scratch.iterdir()) == []
    lines = [" ".join(process.info["cmdline"] or []) for process in psutil.process_iter(["cmdline"])]
    assert [line for line in lines if str(tmp_path) in line] == []


@pytest.mark.container
def test_a_capsule_is_reproduced_elsewhere_without_a_network(verifying: Verifying, tmp_path: Path) -> None:
    early, late = root(tmp_path), root(tmp_path)
    assert early != late
    described = verifying.written(
        verifying.capsule(
            "results/plot.drawn",
            "results/mll.drawn",
            files={
                "data/plot.late": (png(tmp_path, "later"), Role.INPUT),
                "results/plot.drawn": (png(tmp_path, "before"), Role.PRODUCT),
                "data/mll.late": (late, Role.INPUT),
                "results/mll.drawn": (early, Role.PRODUCT),
            },
        )
    )
    code, report = verifying.report("--rerun", network=False)
    assert tiers(report) == {
        "results/a.count": "bytes",
        "results/b.count": "bytes",
        "results/total.json": "bytes",
        "results/plot.drawn": "content",
        "results/mll.drawn": "content",
    }
    assert (code, report["verdict"], report["capsule"]) == (0, "reproduced", described.digest)
    (total,) = report["results"]
    assert (total["expected"], total["found"], total["agrees"]) == ([5.0], [5.0], True)
    assert report["captured_on"]["processor"] == "a processor"
    assert report["rerun_on"]["runtime"] == "apptainer"
    kept = verifying.store.layout.referrers(described.digest)
    assert [one.artifact_type for one in kept] == ["application/vnd.relance.report.v1"]
    assert verifying.store.layout.names()["capsule/counting:1.0"].digest == described.digest
    done = verifying("verify", "counting")
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "verdict: intact")


@pytest.mark.container
def test_a_product_of_chance_is_named_and_differs_if_it_was_asked_for(verifying: Verifying) -> None:
    product = {"results/lottery.txt": (b"1\n", Role.PRODUCT)}
    verifying.written(verifying.capsule("results/lottery.txt", files=product))
    code, report = verifying.report("--rerun")
    assert (code, report["verdict"]) == (1, "differs")
    assert tiers(report)["results/lottery.txt"] == "different"
    (lottery,) = [one for one in report["products"] if one["path"] == "results/lottery.txt"]
    assert (lottery["differences"][0]["where"], lottery["differences"][0]["expected"]) == (
        "line 1, column 1",
        "1",
    )


@pytest.mark.container
def test_a_product_of_chance_on_the_way_counts_no_more_than_the_results(verifying: Verifying) -> None:
    products = {
        "results/lottery.txt": (b"1\n", Role.PRODUCT),
        "results/around.txt": (b"done\n", Role.PRODUCT),
    }
    verifying.written(verifying.capsule("results/around.txt", files=products))
    code, report = verifying.report("--rerun")
    assert (code, report["verdict"]) == (0, "reproduced within tolerance")
    assert tiers(report)["results/lottery.txt"] == "result"
    assert tiers(report)["results/around.txt"] == "bytes"


@pytest.mark.container
def test_a_declared_tolerance_decides(verifying: Verifying) -> None:
    product = {"results/lottery.txt": (b"1\n", Role.PRODUCT)}
    declared = (
        b"products:\n  tolerances:\n    - {path: results/lottery.txt, absolute: 1.0e+20, because: chance}\n"
    )
    verifying.written(verifying.capsule("results/lottery.txt", files=product, extra=declared))
    # By the functions that the command calls: in Python the report shows itself.
    report = relance.open("counting", store=verifying.store.folder).verify(rerun=True)
    assert report.verdict == "reproduced within tolerance"
    assert {product.path: product.tier for product in report.products}["results/lottery.txt"] == "tolerance"
    shown = report._repr_html_()
    assert (
        "<td style='text-align:left'>results/lottery.txt</td><td style='text-align:left'>tolerance</td>"
        in shown
    )
    assert "<td style='text-align:left'>5.000</td><td style='text-align:left'>the same</td>" in shown


@pytest.mark.container
def test_a_result_that_does_not_come_out_again_is_told_with_both_values(verifying: Verifying) -> None:
    product = {"results/total.json": (b'{"total": 6}\n', Role.PRODUCT)}
    verifying.written(verifying.capsule(files=product))
    code, report = verifying.report("--rerun")
    assert (code, report["verdict"]) == (1, "differs")
    (total,) = report["results"]
    assert (total["expected"], total["found"], total["agrees"]) == ([6.0], [5.0], False)
    done = verifying("verify", "counting", "--rerun", "--no-report", "--quiet")
    assert done.returncode == 1


@pytest.mark.container
def test_a_job_that_fails_is_named(verifying: Verifying) -> None:
    verifying.written(
        verifying.capsule("results/never.txt", files={"results/never.txt": (b"", Role.PRODUCT)})
    )
    code, report = verifying.report("--rerun")
    assert (code, report["verdict"]) == (1, "failed")
    assert "fails" in report["message"]


@pytest.mark.container
@pytest.mark.parametrize(("case", "code"), [("shifted", 0), ("wrong", 1)])
def test_a_validation_case_is_run_with_its_configuration(verifying: Verifying, case: str, code: int) -> None:
    verifying.written(verifying.capsule(extra=CASES))
    found, report = verifying.report("--rerun", "--case", case)
    (total,) = report["results"]
    assert (found, report["case"], total["found"], total["agrees"]) == (code, case, [7.0], code == 0)


@pytest.mark.container
def test_the_folder_of_the_rerun_can_be_kept_and_must_be_new(verifying: Verifying, tmp_path: Path) -> None:
    verifying.written(verifying.capsule())
    kept = tmp_path / "kept"
    assert verifying.report("--rerun", "--keep", str(kept))[0] == 0
    assert (kept / "analysis/results/total.json").read_text() == '{"total": 5}\n'
    done = verifying("verify", "counting", "--rerun", "--keep", str(kept))
    assert (done.returncode, "Traceback" in done.stderr) == (2, False)


def test_what_a_capsule_does_not_hold_is_named_and_nothing_runs(verifying: Verifying) -> None:
    capsule = verifying.capsule()

    def without(file: CapsuleFile) -> CapsuleFile:
        return replace(file, stored=None) if file.path == "data/a.txt" else file

    verifying.written(replace(capsule, files=tuple(map(without, capsule.files))))
    code, report = verifying.report("--rerun")
    assert (code, report["verdict"]) == (3, "not closed")
    assert any("data/a.txt" in open_end for open_end in report["not_closed"])


@pytest.mark.container
def test_an_input_that_is_kept_by_reference_is_only_fetched_if_asked_for(
    verifying: Verifying, tmp_path: Path
) -> None:
    away = tmp_path / "a.txt"
    away.write_bytes(capsules.INPUTS["data/a.txt"])
    capsule = verifying.capsule()

    def elsewhere(file: CapsuleFile) -> CapsuleFile:
        if file.path != "data/a.txt":
            return file
        return replace(file, stored=None, locations=(away.as_uri(),))

    verifying.written(replace(capsule, files=tuple(map(elsewhere, capsule.files))))
    assert verifying.report("--rerun")[0] == 3
    code, report = verifying.report("--rerun", "--fetch")
    assert (code, report["verdict"]) == (0, "reproduced")
    away.write_bytes(b"another\n")
    shutil.rmtree(tmp_path / "cache")
    done = verifying("verify", "counting", "--rerun", "--fetch")
    assert (done.returncode, "Traceback" in done.stderr) == (3, False)


@pytest.mark.parametrize(
    ("path", "what"), [("scripts/count.sh", "source scripts/count.sh"), ("data/a.txt", "input data/a.txt")]
)
def test_a_damaged_capsule_is_not_run(verifying: Verifying, path: str, what: str) -> None:
    capsule = verifying.capsule()
    verifying.written(capsule)
    blob = next(file.digest for file in capsule.files if file.path == path)
    place = verifying.store.layout.path(blob)
    place.chmod(0o644)
    place.write_bytes(place.read_bytes()[:-1] + b"!")
    code, report = verifying.report("--rerun")
    assert (code, report["verdict"]) == (2, "damaged")
    assert [problem["what"] for problem in report["integrity"]["problems"]] == [what]
    assert "reran" not in report


def test_an_approval_leaves_the_capsule_as_it_was_and_says_that_it_is_not_signed(
    verifying: Verifying,
) -> None:
    described = verifying.written(verifying.capsule())
    done = verifying("approve", "counting", "--by", "A. Physicist", "--comment", "as published")
    assert (done.returncode, "not signed" in done.stdout) == (0, True)
    (kept,) = verifying.store.layout.referrers(described.digest)
    assert kept.artifact_type == "application/vnd.relance.approval.v1"
    assert verifying("verify", "counting", "--quiet").returncode == 0
    refused = verifying("approve", "counting", "--by", "\x1b[31m")
    assert (refused.returncode, "Traceback" in refused.stderr) == (2, False)


@pytest.mark.parametrize(
    "arguments",
    [("nothing-of-this-name",), ("counting", "--case", "x"), ("counting", "--rerun", "--case", "no-such")],
)
def test_what_cannot_be_verified_is_an_error_of_the_user(
    verifying: Verifying, arguments: tuple[str, ...]
) -> None:
    verifying.written(verifying.capsule())
    done = verifying("verify", *arguments)
    assert (done.returncode, "Traceback" in done.stderr) == (2, False)
    assert done.stderr.startswith("error: ")


def test_a_capsule_in_a_file_is_checked_where_it_lies(verifying: Verifying, tmp_path: Path) -> None:
    capsule = verifying.capsule()
    verifying.written(capsule)
    path = tmp_path / "counting.tar"
    assert verifying("export", "counting", str(path)).returncode == 0
    elsewhere = replace(verifying, store=Store(tmp_path / "empty"))
    elsewhere.store.folder.mkdir()
    done = elsewhere("verify", str(path))
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "verdict: intact"), done.stderr
    script = capsules.SOURCES["scripts/count.sh"]
    path.write_bytes(path.read_bytes().replace(script, script[:-2] + b"2\n"))
    for arguments in ((), ("--rerun",)):
        done = elsewhere("verify", str(path), *arguments)
        assert (done.returncode, "source scripts/count.sh" in done.stdout) == (2, True)
    assert list(elsewhere.store.folder.iterdir()) == []
