"""`relance run` on small analyses, as plain processes: what every machine can do."""

import json
import os
import re
import shlex
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from tests.contract.conftest import Relance


def wait_for(path: Path, running: "subprocess.Popen[str]") -> None:
    while not path.exists():
        assert running.poll() is None, f"it ended without {path}"
        time.sleep(0.02)


def test_an_analysis_runs_and_says_where_its_results_lie(toy: Relance) -> None:
    done = toy("run", "--runtime", "plain")
    assert (done.returncode, (toy.folder / "results" / "shout.txt").read_text()) == (0, "HELLO\nHELLO\n")
    assert "    results/shout.txt" in done.stdout.splitlines()
    assert "relance: steps run as plain processes in locked environments, not in containers\n" in done.stderr
    assert "greet: done in" in done.stderr
    assert "[2/2] shout: done" in done.stderr
    assert "all" not in done.stderr
    again = toy("run", "--runtime", "plain")
    assert (again.returncode, again.stdout) == (0, "nothing to do: every result is there and up to date\n")
    assert not list(toy.folder.glob(".snakemake/relance/*/scratch"))


def test_an_ordinary_user_without_images_gets_plain_processes_and_is_told_why(toy: Relance) -> None:
    ordinary = ["unshare", "--user", "--map-user=1000", "--map-group=1000"] if os.geteuid() == 0 else []
    done = subprocess.run(
        [*ordinary, *toy.command("run")],
        cwd=toy.folder,
        env={**os.environ, "HOME": str(toy.folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "steps run as plain processes in locked environments, not in containers" in done.stderr
    assert done.stderr.count("can't be used: ") == 3
    assert (toy.folder / "results" / "shout.txt").read_text() == "HELLO\nHELLO\n"


def test_a_script_runs_in_the_locked_environment_and_rules_without_container_are_named(
    analysis: Callable[[str], Relance],
) -> None:
    scripted = analysis("scripted")
    done = scripted("run", "--runtime", "plain")
    assert done.returncode == 0, done.stderr
    number, prefix = (scripted.folder / "results" / "double.txt").read_text().splitlines()
    assert (number, Path(prefix).parent) == ("42", scripted.folder / ".envs")
    assert done.stderr.endswith("files and environment, ran: bare\n")


def test_configuration_and_settings_reach_the_analysis(toy: Relance) -> None:
    done = toy(
        "run", "--runtime", "plain", "--config", "thrice", "--set", "greeting.text=it's $5", "--json", "-q"
    )
    result = json.loads(done.stdout)
    assert done.stderr == ""
    assert (result["status"], result["runtime"], result["steps_done"]) == ("ok", "plain", 2)
    assert result["results"] == ["results/shout.txt", "results/environment.txt"]
    assert (toy.folder / "results" / "shout.txt").read_text() == "IT'S $5\n" * 3


def test_a_dry_run_tells_what_would_run_and_why_and_makes_nothing(toy: Relance) -> None:
    done = toy("run", "--runtime", "plain", "--dry-run")
    assert done.returncode == 0
    assert "greet\n    why: Missing output files: results/greeting.txt" in done.stdout
    assert done.stdout.endswith("2 steps would run\n")
    assert not (toy.folder / "results").exists()


def test_a_refusal_of_the_analysis_is_passed_on(toy: Relance) -> None:
    done = toy("run", "--runtime", "plain", "-q", "--set", "greting.text=hi")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        f"error: {toy.folder}/Snakefile:13: unknown parameter 'greting', known are greeting, pause\n"
    )
    assert not (toy.folder / "results").exists()


def test_a_failed_step_is_told_with_the_end_of_its_log(analysis: Callable[[str], Relance]) -> None:
    broken = analysis("broken")
    done = broken("run", "--runtime", "plain", "--json")
    assert done.returncode == 1
    assert "step 'second' failed; the end of results/logs/second.log:\n    no such quark\n" in done.stderr
    assert re.search(r"printed is in \.snakemake/relance/run-\w+/console\.log\n$", done.stderr)
    assert "Traceback" not in done.stderr
    result = json.loads(done.stdout)
    assert (result["status"], [step["rule"] for step in result["failed"]]) == ("failed", ["second"])
    assert (broken.folder / "results" / "first.txt").exists()
    assert not (broken.folder / "results" / "second.txt").exists()


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_run_leaves_nothing_half_written_and_goes_on(
    toy: Relance, number: signal.Signals, status: int
) -> None:
    half = toy.folder / "results" / "greeting.txt"
    with toy.start("run", "--runtime", "plain", "--set", "pause=600") as running:
        wait_for(half, running)
        running.send_signal(number)
        _, told = running.communicate(timeout=60)
    assert running.returncode == status
    assert "error: interrupted; 0 of 2 steps are done and kept; type the same command to go on" in told
    assert not half.exists()
    assert not list(toy.folder.glob(".snakemake/locks/*"))
    assert not list(toy.folder.glob(".snakemake/relance/*/scratch"))
    assert toy("run", "--runtime", "plain").returncode == 0


def test_a_run_stopped_while_it_makes_an_environment_makes_it_anew_next_time(toy: Relance) -> None:
    (toy.folder / ".envs").unlink()
    with toy.start("run", "--runtime", "plain") as running:
        while not list(toy.folder.glob(".envs/*/pyvenv.cfg")):
            assert running.poll() is None
        running.send_signal(signal.SIGTERM)
        _, told = running.communicate(timeout=60)
    assert (running.returncode, "error: terminated" in told) == (143, True)
    assert not list(toy.folder.glob(".envs/*/relance-complete"))
    assert toy("run", "--runtime", "plain").returncode == 0
    assert list(toy.folder.glob(".envs/*/relance-complete"))


def test_a_killed_relance_takes_its_workflow_with_it(toy: Relance) -> None:
    half = toy.folder / "results" / "greeting.txt"
    with toy.start("run", "--runtime", "plain", "--set", "pause=60") as running:
        wait_for(half, running)
        below = psutil.Process(running.pid).children(recursive=True)
        running.kill()
        running.communicate(timeout=60)
    assert len(below) >= 3  # Snakemake, its job, what watches over them
    _, alive = psutil.wait_procs(below, timeout=60)
    assert alive == []
    again = toy("run", "--runtime", "plain", "-q")
    assert (again.returncode, again.stderr, half.read_text()) == (0, "", "hello\nhello\n")
    assert not list(toy.folder.glob(".snakemake/relance/*/scratch"))


def test_a_lock_that_a_killed_run_left_is_explained(toy: Relance) -> None:
    with toy.start("run", "--runtime", "plain", "--set", "pause=30") as running:
        wait_for(toy.folder / "results" / "greeting.txt", running)
        for process in [*psutil.Process(running.pid).children(recursive=True), running]:
            process.kill()
    done = toy("run", "--runtime", "plain", "-q")
    assert done.returncode == 2
    assert "is in use by another run" in done.stderr
    assert toy("run", "--runtime", "plain", "-q", "--", "--unlock").returncode == 0
    assert toy("run", "--runtime", "plain", "-q").returncode == 0
    assert (toy.folder / "results" / "shout.txt").read_text() == "HELLO\nHELLO\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["rum"],
            "; did you mean 'run'?",
        ),
        (["run", "--runtme", "plain"], "Did you mean '--runtime'?"),
        (["run", "no/such/folder"], "is no analysis: found no such folder, expected a Snakefile in it"),
        (["run", "--set", "mass"], "--set mass: found no '=', expected KEY=VALUE"),
        (["run", "--config", "thrise"], "write '--config thrice'"),
        (["run", "--cores", "0"], "0 is not in the range"),
        (["run", "--jobs", "3"], "--jobs 3: found no --on, expected '--on slurm' with it"),
    ],
)
def test_a_wrong_command_line_is_told_in_one_message(
    toy: Relance, arguments: list[str], message: str
) -> None:
    done = toy(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("shell", "position", "answer"),
    [("bash", "2", "plain,list\n"), ("zsh", "2", "plain\nlist\n"), ("fish", "l", "plain,list\t")],
)
def test_completion_is_printed_for_each_shell_and_answered(
    toy: Relance, shell: str, position: str, answer: str
) -> None:
    done = toy("completion", shell)
    assert done.returncode == 0
    assert f"_RELANCE_COMPLETE={shell}_complete" in done.stdout
    asked = {
        "_RELANCE_COMPLETE": f"{shell}_complete",
        "COMP_WORDS": "relance images l",
        "COMP_CWORD": position,
    }
    told = subprocess.run(
        toy.command(), env={**os.environ, **asked}, capture_output=True, text=True, check=True
    )
    assert answer in told.stdout


def test_bash_completes_commands_options_and_values(toy: Relance, tmp_path: Path) -> None:
    program = tmp_path / "relance"
    program.write_text(f'#!/bin/sh\nexec {shlex.join(toy.command())} "$@"\n', "utf-8")
    program.chmod(0o755)
    lines = ["images l", "run --runt", "run --runtime p"]
    script = 'eval "$(relance completion bash)"\n' + "".join(
        f"COMP_WORDS=(relance {line}); COMP_CWORD={len(line.split())}; COMPREPLY=()\n"
        '_relance_completion relance; echo "${COMPREPLY[*]}"\n'
        for line in lines
    )
    path = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    told = subprocess.run(["bash", "-c", script], env=path, capture_output=True, text=True, check=True)
    assert told.stdout.splitlines() == ["list load lock", "--runtime", "podman plain"]


def test_packages_that_cannot_be_had_are_told_with_the_log(toy: Relance) -> None:
    locked = f"no-such-package-of-relance==1.0 --hash=sha256:{'0' * 64}\n"
    (toy.folder / "envs" / "toy.txt").write_text(locked)
    done = toy(
        "run",
        "--runtime",
        "plain",
        env={"PATH": "/usr/bin:/bin", "PIP_NO_INDEX": "1", "HOME": str(toy.folder)},
    )
    assert done.returncode == 3
    assert "error: the environment 'toy' can't be made: found ERROR: No matching distribution" in done.stderr
    assert (
        not list(toy.folder.glob(".envs/toy-*/bin"))
        or not list(toy.folder.glob(".envs/toy-*/relance-complete"))[1:]
    )
