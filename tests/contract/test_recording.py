"""Records of real Snakemake runs, checked against the files, by means that share nothing with the package."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from tests.contract.conftest import Relance

ROOT = Path(__file__).parents[2]
SCHEMA = json.loads((ROOT / "specs" / "schemas" / "run-record.schema.json").read_text())


def snakemake(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "snakemake", "--cores", "2", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def shown(relance: Relance) -> Any:
    done = relance("runs", "show", "--json")
    assert done.returncode == 0, done.stderr
    record = json.loads(done.stdout)
    Draft202012Validator(SCHEMA).validate(record)
    return record


def record(relance: Relance) -> Any:
    done = relance("record")
    assert done.returncode == 0, done.stderr
    return shown(relance)


def jobs(record: Any) -> dict[str, Any]:
    return {
        " ".join([job["rule"], *(job["outputs"] if job["rule"] == "square" else [])]): job
        for job in record["jobs"]
    }


def independent(path: Path) -> str:
    printed = subprocess.run(["sha256sum", path], capture_output=True, text=True, check=True).stdout
    return f"sha256:{printed.split()[0]}"


def check_digests(record: Any, folder: Path) -> None:
    there = [file for file in record["files"] if file["kind"] == "file"]
    assert there
    for file in there:
        assert file["digest"] == independent(folder / file["path"]), file["path"]
        assert file["size"] == (folder / file["path"]).stat().st_size


@pytest.fixture
def recorded(analysis: Callable[[str], Relance]) -> Relance:
    return analysis("recorded")


def test_a_run_of_somebodys_own_is_recorded_whole(recorded: Relance) -> None:
    done = snakemake(recorded.folder, "--logger", "relance")
    assert done.returncode == 0, done.stderr
    assert recorded("runs").stdout.endswith("not recorded yet: relance record\n")
    found = record(recorded)
    check_digests(found, recorded.folder)
    run, by_rule = found["run"], jobs(found)
    assert (run["made"], run["status"], run["runtime"]) == ("during the run", "ok", "plain")
    assert run["command"] == ["--cores", "2", "--logger", "relance"]
    assert run["configuration"] == {"number": 2}
    assert run["snakefile"]["digest"] == independent(recorded.folder / "Snakefile")
    assert run["targets"] == ["results/double.txt", "results/inline.txt", "results/sum.txt"]
    assert set(by_rule) == {
        "double", "generate", "inline", "split", "sum", "square results/squares/1.txt",
        "square results/squares/2.txt",
    }  # fmt: skip
    assert {job["status"] for job in found["jobs"]} == {"ok"}
    assert by_rule["generate"]["attempts"] == 2
    assert by_rule["sum"]["protected"] == ["results/sum.txt"]
    assert by_rule["square results/squares/2.txt"]["wildcards"] == {"n": "2"}
    assert by_rule["double"]["parameters"] == [{"name": "factor", "value": 2, "exact": True}]
    assert by_rule["double"]["code"] == {
        "kind": "script",
        "path": "scripts/double.py",
        "digest": independent(recorded.folder / "scripts" / "double.py"),
        "files": ["Snakefile", "config.yaml", "scripts/double.py"],
    }
    assert by_rule["double"]["threads"] == 1
    assert by_rule["square results/squares/1.txt"]["code"]["files"] == []
    assert [file["path"] for file in run["read"]] == ["Snakefile", "config.yaml"]
    assert (run["read_outside"], run["beyond"]) == ([], [])
    assert by_rule["split"]["directories"] == ["results/parts"]
    assert (by_rule["double"]["command"], by_rule["inline"]["command"]) == (None, None)
    assert by_rule["inline"]["code"]["kind"] == "run"


def test_a_temporary_file_that_is_gone_has_the_digest_that_snakemake_took(recorded: Relance) -> None:
    snakemake(recorded.folder, "--logger", "relance")
    files = {file["path"]: file for file in record(recorded)["files"]}
    gone = files["results/events.txt"]
    assert not (recorded.folder / "results" / "events.txt").exists()
    assert (gone["kind"], gone["source"], gone["size"]) == ("gone", "snakemake", "unknown")
    assert gone["digest"] == "sha256:" + hashlib.sha256(b"1\n2\n").hexdigest()


def test_peak_memory_comes_from_benchmarks_and_is_unknown_else(recorded: Relance) -> None:
    snakemake(recorded.folder, "--logger", "relance")
    for number, peak in (("1", "12.5"), ("2", "3.25")):
        path = recorded.folder / "results" / "benchmarks" / f"{number}.tsv"
        path.write_text(f"s\tmax_rss\n1.0\t1.0\n1.0\t{peak}\n")
    found = record(recorded)
    peaks = {
        job["rule"]: times["peak_memory"]
        for job, times in zip(found["jobs"], found["times"]["jobs"], strict=True)
    }
    assert (peaks["square"], peaks["sum"]) == (3407872, "unknown")


def test_a_failed_job_is_recorded_with_its_exit_status(recorded: Relance) -> None:
    done = snakemake(recorded.folder, "results/never.txt", "--logger", "relance")
    assert done.returncode == 1
    found = record(recorded)
    failing = jobs(found)["failing"]
    assert (found["run"]["status"], failing["status"], failing["exit"]) == ("failed", "failed", 7)
    assert next(file for file in found["files"] if file["path"] == "results/never.txt")["kind"] == "gone"


def test_a_second_record_of_the_same_run_differs_in_its_times_alone(recorded: Relance) -> None:
    found = []
    for _ in range(2):
        shutil.rmtree(recorded.folder / "results", ignore_errors=True)
        shutil.rmtree(recorded.folder / ".snakemake", ignore_errors=True)
        (recorded.folder / "tried").unlink(missing_ok=True)
        assert snakemake(recorded.folder, "--logger", "relance").returncode == 0
        found.append(record(recorded))
    times = [one.pop("times") for one in found]
    assert found[0] == found[1]
    assert times[0] != times[1]


def test_quiet_runs_are_recorded_though_snakemake_tells_no_ends(recorded: Relance) -> None:
    assert snakemake(recorded.folder, "--quiet", "--logger", "relance").returncode == 0
    found = record(recorded)
    assert {job["status"] for job in found["jobs"]} == {"ok"}
    assert all(times["ended"] != "unknown" for times in found["times"]["jobs"])


def test_a_run_that_nobody_watched_is_recorded_afterwards_and_says_so(recorded: Relance) -> None:
    assert snakemake(recorded.folder).returncode == 0
    found = record(recorded)
    check_digests(found, recorded.folder)
    assert (found["run"]["made"], found["run"]["command"]) == ("afterwards", "unknown")
    assert found["times"]["started"] == "unknown"
    by_rule = jobs(found)
    assert (by_rule["generate"]["attempts"], by_rule["generate"]["status"]) == ("unknown", "ok")
    assert by_rule["generate"]["wildcards"] == "unknown"
    assert by_rule["generate"]["parameters"][1] == {
        "name": "unknown",
        "value": "['ee', 'mumu']",
        "exact": False,
    }


def test_a_recorded_run_is_not_recorded_again_until_another_has_run(recorded: Relance) -> None:
    assert snakemake(recorded.folder, "results/inline.txt", "--logger", "relance").returncode == 0
    first = recorded("record").stdout
    assert recorded("record").stdout == first
    assert shown(recorded)["run"]["made"] == "during the run"
    metadata = recorded.folder / ".snakemake" / "metadata"
    assert snakemake(recorded.folder, "results/inline.txt", "--force").returncode == 0
    for path in metadata.iterdir():
        os.utime(path, (path.stat().st_mtime + 60, path.stat().st_mtime + 60))
    assert recorded("record").stdout != first
    assert shown(recorded)["run"]["made"] == "afterwards"


def test_outputs_without_metadata_are_recorded_with_nothing_claimed_of_their_making(
    recorded: Relance,
) -> None:
    assert snakemake(recorded.folder).returncode == 0
    shutil.rmtree(recorded.folder / ".snakemake" / "metadata")
    found = record(recorded)
    check_digests(found, recorded.folder)
    double = jobs(found)["double"]
    times = found["times"]["jobs"][found["jobs"].index(double)]
    assert (double["status"], double["exit"]) == ("unknown", "unknown")
    assert times == {
        "started": "unknown",
        "ended": "unknown",
        "peak_memory": "unknown",
        "peak_memory_of": "unknown",
    }


def test_a_snakefile_that_cannot_be_read_any_more_leaves_a_record_from_metadata(recorded: Relance) -> None:
    assert snakemake(recorded.folder).returncode == 0
    (recorded.folder / "Snakefile").write_text("rule all\n")
    done = recorded("record")
    assert done.returncode == 0
    assert "the graph of jobs can't be read" in done.stderr
    found = shown(recorded)
    assert (found["run"]["graph"], found["run"]["snakefile"]) == (False, "unknown")
    assert {job["rule"] for job in found["jobs"]} == {
        "double",
        "generate",
        "inline",
        "split",
        "square",
        "sum",
    }


def test_a_product_written_after_its_job_is_marked(recorded: Relance) -> None:
    assert snakemake(recorded.folder, "--logger", "relance").returncode == 0
    product = recorded.folder / "results" / "double.txt"
    product.write_text("forged\n")
    os.utime(product, (4e9, 4e9))
    altered = [file["path"] for file in record(recorded)["files"] if file["altered"]]
    assert altered == ["results/double.txt"]


def test_relance_run_records_at_its_end_and_after_a_failure(analysis: Callable[[str], Relance]) -> None:
    toy = analysis("toy")
    assert toy("run", "--runtime", "plain", "--set", "greeting.text=hallo").returncode == 0
    found = shown(toy)
    check_digests(found, toy.folder)
    greet = jobs(found)["greet"]
    assert (found["run"]["runtime"], greet["image"]["written"]) == ("plain", "docker://relance/toy")
    assert (greet["image"]["config"], greet["image"]["resolved"]) == ("unknown", "unknown")
    assert {item["name"]: item["value"] for item in greet["parameters"]}["text"] == "hallo"
    assert found["run"]["configuration"]["greeting"]["text"] == "hallo"
    assert found["run"]["environments"] == {"toy": independent(toy.folder / "envs" / "toy.txt")}
    assert found["run"]["redacted"] == []
    assert toy("runs").stdout.endswith("  ok: 2 ok\n")
    (toy.folder / "results" / "logs" / "shout.log").unlink()
    snakefile = toy.folder / "Snakefile"
    snakefile.write_text(snakefile.read_text().replace("tr a-z A-Z", "false; tr a-z A-Z"))
    assert toy("run", "--runtime", "plain").returncode == 1
    failed = shown(toy)
    assert (failed["run"]["status"], jobs(failed)["shout"]["status"], jobs(failed)["shout"]["exit"]) == (
        "failed",
        "failed",
        1,
    )


def test_a_run_of_relance_is_recorded_from_its_own_graph_whatever_becomes_of_the_snakefile(
    analysis: Callable[[str], Relance],
) -> None:
    toy = analysis("toy")
    assert toy("run", "--runtime", "plain").returncode == 0
    first = shown(toy)
    (record_file,) = toy.folder.glob(".snakemake/relance/run-*/record.json")
    record_file.unlink()
    (toy.folder / "Snakefile").write_text("rule all\n")
    assert toy("record").returncode == 0
    second = shown(toy)
    assert second["run"]["graph"] is True
    assert [job["parameters"] for job in second["jobs"]] == [job["parameters"] for job in first["jobs"]]


def test_secrets_given_to_a_run_are_not_in_its_record(recorded: Relance) -> None:
    value = "zz9" + "Pq7Lm"
    arguments = ("results/inline.txt", "--logger", "relance", "--config", f"api_token={value}")
    assert snakemake(recorded.folder, *arguments).returncode == 0
    done = recorded("record")
    assert "left out of the record as secrets: command; configuration, api_token" in done.stderr
    found = shown(recorded)
    assert value not in json.dumps(found)
    assert found["run"]["redacted"] == ["command", "configuration, api_token"]


def test_a_run_of_snakemake_7_is_recorded_from_its_metadata(recorded: Relance) -> None:
    script = ROOT / "tests" / "machine" / "snakemake7.sh"
    made = subprocess.run(["bash", script], capture_output=True, text=True, check=False)
    if made.returncode != 0 and not os.environ.get("CI"):
        pytest.skip(f"Snakemake 7 can't be installed here: {made.stderr[-200:]}")
    old = [made.stdout.strip(), "--cores", "2"]
    assert subprocess.run(old, cwd=recorded.folder, capture_output=True, check=False).returncode == 0
    (recorded.folder / "results" / "events.txt").unlink(missing_ok=True)
    found = record(recorded)
    check_digests(found, recorded.folder)
    by_rule = jobs(found)
    assert found["run"]["made"] == "afterwards"
    assert by_rule["generate"]["command"].startswith("test -e tried")
    assert by_rule["generate"]["code"]["digest"] == "unknown"
    assert {job["rule"] for job in found["jobs"]} == {
        "double",
        "generate",
        "inline",
        "split",
        "square",
        "sum",
    }
    assert {job["status"] for job in found["jobs"]} <= {"ok", "unknown"}
    assert by_rule["double"]["status"] == "ok"
    gone = next(file for file in found["files"] if file["path"] == "results/events.txt")
    assert (gone["kind"], gone["digest"], gone["source"]) == ("gone", "unknown", "none")


def test_a_folder_without_a_run_is_refused_in_one_message(tmp_path: Path) -> None:
    done = Relance(tmp_path)("record")
    assert done.returncode == 2
    assert "has no run to record" in done.stderr


def test_runs_that_were_refused_and_dry_runs_are_no_runs_to_record(tmp_path: Path) -> None:
    relance = Relance(tmp_path)
    rule = 'rule a:\n    input: "{}"\n    output: "a.txt"\n    shell: "touch {{output}}"\n'
    (tmp_path / "Snakefile").write_text(rule.format("missing.txt"))
    assert relance("run", "--runtime", "plain").returncode == 2
    refused = relance("capture")
    assert refused.returncode == 2
    assert "has no run to record: found only dry runs, or runs that were refused" in refused.stderr
    assert "relance run" in refused.stderr
    (tmp_path / "Snakefile").write_text(rule.format("Snakefile"))
    snakemake(tmp_path, "--logger", "relance", "--dry-run")
    assert "has no run to record" in relance("record").stderr
    snakemake(tmp_path, "--logger", "relance")
    snakemake(tmp_path, "--logger", "relance", "--dry-run", "--forceall")
    assert [job["status"] for job in record(relance)["jobs"]] == ["ok"]
