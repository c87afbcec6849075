"""A Snakemake that waits at its gate, as a real process."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from relance.engines import gates, process, snakemake

PATIENCE = 60.0  # seconds


@pytest.fixture
def analysis(tmp_path: Path) -> Path:
    """An analysis that brings a module by the name of one that Snakemake imports."""
    folder = tmp_path / "analysis"
    folder.mkdir()
    (folder / "yaml.py").write_text("from pathlib import Path\nPath('imported').touch()\n")
    (folder / "Snakefile").write_text("rule all:\n    output: 'done'\n    shell: 'touch {output}'\n")
    return folder


def command(analysis: Path, gate: Path) -> list[str]:
    arguments = ("--snakefile", str(analysis / "Snakefile"), "--cores", "1", "--scheduler", "greedy")
    return snakemake.observed("run", gate.with_name("graph.json"), arguments, gate)


def test_nothing_of_the_analysis_is_touched_until_the_gate_is_opened(analysis: Path, tmp_path: Path) -> None:
    gate, console = tmp_path / "gate", tmp_path / "console"
    environment = dict(os.environ)
    with gates.made(gate) as opening:
        started = process.started(
            command(analysis, gate), folder=analysis, environment=environment, console=console
        )
        with started as child:
            child.leave(3.0)
            assert child.process.poll() is None, console.read_text()
            assert {path.name for path in analysis.iterdir()} == {"Snakefile", "yaml.py"}
            opening.open()
            ending = child.attend(lambda: None, lambda: None)
    assert (ending.status, opening.opened) == (0, True), console.read_text()
    assert (analysis / "done").exists()
    assert not (analysis / "imported").exists()


def test_a_gate_that_is_given_up_ends_who_comes_to_it(analysis: Path, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    with gates.made(gate) as opening:
        child = subprocess.Popen(command(analysis, gate), cwd=analysis)
    assert child.wait(PATIENCE) == 0
    assert not opening.opened
    assert {path.name for path in analysis.iterdir()} == {"Snakefile", "yaml.py"}


def test_a_killed_holder_of_the_gate_ends_who_waits_at_it(analysis: Path, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    program = (
        "import sys, time\nfrom pathlib import Path\nfrom relance.engines import gates\n"
        "with gates.made(Path(sys.argv[1])):\n    print('made', flush=True)\n    time.sleep(600)\n"
    )
    holder = subprocess.Popen([sys.executable, "-c", program, str(gate)], stdout=subprocess.PIPE)
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"made\n"
    child = subprocess.Popen(command(analysis, gate), cwd=analysis)
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    holder.stdout.close()
    assert child.wait(PATIENCE) == 0
    assert {path.name for path in analysis.iterdir()} == {"Snakefile", "yaml.py"}


def test_who_waits_reads_the_graph_in_a_copy_and_runs_what_it_read(analysis: Path, tmp_path: Path) -> None:
    gate, console, graph = tmp_path / "gate", tmp_path / "console", tmp_path / "asked.json"
    reading = ("--snakefile", str(analysis / "Snakefile"), "--cores", "1", "--nolock")
    asked = snakemake.words(snakemake.observed("graph", graph, [*reading, "--reporter", "relance"]))
    with (
        gates.made(gate) as opening,
        process.started(
            command(analysis, gate), folder=analysis, environment=dict(os.environ), console=console
        ) as child,
    ):

        def alive() -> bool:
            return child.process.poll() is None

        for _ in range(2):
            answer = opening.ask(asked, alive)
            assert answer.status == 0, answer.said
            assert [job["output"] for job in json.loads(graph.read_text())["jobs"]] == [["done"]]
            assert not (analysis / "done").exists()
            graph.unlink()
        (analysis / "Snakefile").write_text("rule broken\n")
        answer = opening.ask(asked, alive)
        assert answer.status != 0
        assert "SyntaxError" in answer.said
        assert not graph.exists()
        (analysis / "Snakefile").write_text("rule all:\n    output: 'other'\n    shell: 'touch {output}'\n")
        opening.open()
        ending = child.attend(lambda: None, lambda: None)
    assert ending.status == 0, console.read_text()
    assert (analysis / "other").exists()
    assert "SyntaxError" not in console.read_text()


def test_nobody_waits_for_the_answer_of_who_is_gone(tmp_path: Path) -> None:
    with gates.made(tmp_path / "gate") as opening:
        answer = opening.ask(["graph", "graph.json", "-"], lambda: False)
    assert answer.status != 0
    assert not opening.opened
