"""What a Snakefile reads while it is parsed is noted, whatever way it reads it; nothing else is."""

import os
import stat
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from relance.recording import sources
from relance.recording.sources import Graph

RULE = "rule a:\n    output: 'a.txt'\n    shell: 'touch {output}'\n"


def parsed(folder: Path, snakefile: str, *arguments: str, **variables: str) -> Graph:
    (folder / "Snakefile").write_text(snakefile + "\n" + RULE)
    environment = {"HOME": str(folder), "PATH": os.environ["PATH"], **variables}
    graph, problem = sources.graph(arguments, folder, environment)
    assert graph is not None, problem
    return graph


@pytest.fixture
def analysis(tmp_path: Path) -> Path:
    folder = tmp_path / "analysis"
    (folder / "tools").mkdir(parents=True)
    (folder / "tools" / "__init__.py").write_text("")
    (folder / "tools" / "plan.py").write_text("TABLE = open('table.txt').read()\n")
    (folder / "table.txt").write_text("1\n")
    (folder / "unread.txt").write_text("2\n")
    return folder


def test_files_opened_by_the_snakefile_and_by_what_it_imports_are_noted(analysis: Path) -> None:
    graph = parsed(analysis, "import sys; sys.path.insert(0, '.')\nfrom tools import plan")
    assert graph.read == ("Snakefile", "table.txt", "tools/__init__.py", "tools/plan.py")
    assert graph.read_outside == ()


def test_a_module_that_is_loaded_from_its_compiled_form_counts_as_its_source(analysis: Path) -> None:
    snakefile = "import sys; sys.path.insert(0, '.')\nfrom tools import plan"
    first = parsed(analysis, snakefile)
    assert (analysis / "tools" / "__pycache__").is_dir()
    assert parsed(analysis, snakefile).read == first.read


def test_files_opened_elsewhere_are_noted_by_absolute_path(analysis: Path) -> None:
    secret = analysis.parent / "token"
    secret.write_text("x")
    graph = parsed(analysis, f"open({str(secret)!r}).read()")
    assert graph.read_outside == (str(secret),)
    assert "token" not in "".join(graph.read)


def test_files_read_by_input_functions_and_by_the_command_line_are_noted(analysis: Path) -> None:
    (analysis / "settings.yaml").write_text("number: 3\n")
    snakefile = "rule b:\n    input: lambda wildcards: open('table.txt').read().split()\n    output: 'b'\n"
    (analysis / "1").touch()
    graph = parsed(analysis, snakefile, "b", "--configfile", "settings.yaml")
    assert {"table.txt", "settings.yaml"} <= set(graph.read)
    assert "1" not in graph.read


def test_what_the_snakefile_writes_itself_is_none_of_what_it_reads(analysis: Path) -> None:
    graph = parsed(analysis, "open('made.txt', 'w').write('x')\nopen('made.txt').read()")
    assert graph.read == ("Snakefile",)


def test_names_of_variables_are_noted_and_no_values(analysis: Path) -> None:
    snakefile = "import os\nos.environ.get('CHANNEL'); os.getenv('MASS'); 'REGION' in os.environ"
    graph = parsed(analysis, snakefile, CHANNEL="ee-value", OTHER="1")
    assert graph.variables == ("CHANNEL", "MASS", "REGION")
    assert "ee-value" not in repr(graph)


def test_declared_variables_are_noted(analysis: Path) -> None:
    assert parsed(analysis, "envvars: 'CHANNEL'", CHANNEL="ee").variables == ("CHANNEL",)


def test_programs_and_hosts_are_noted(analysis: Path) -> None:
    snakefile = (
        "import socket, subprocess\nsubprocess.run(['cat', 'table.txt'], capture_output=True)\n"
        "try: socket.create_connection(('127.0.0.1', 9), 0.1)\nexcept OSError: pass"
    )
    graph = parsed(analysis, snakefile)
    assert graph.beyond == ("network 127.0.0.1", "program cat")
    assert "table.txt" in graph.read


def test_products_marked_for_a_report_need_not_be_there(analysis: Path) -> None:
    graph = parsed(analysis, "rule r:\n    output: report('missing.txt')\n    shell: 'touch {output}'", "r")
    assert [job["output"] for job in graph.jobs] == [["missing.txt"]]


def test_the_call_can_be_replaced_by_one_that_puts_something_around_it(analysis: Path) -> None:
    (analysis / "Snakefile").write_text(RULE)
    seen = []

    def call(
        command: Sequence[str], *, folder: Path, environment: Mapping[str, str], scratch: Path
    ) -> sources.Called:
        seen.append((folder, stat.S_ISDIR(scratch.stat().st_mode)))
        done = subprocess.run(
            ["nice", *command], cwd=folder, env=environment, capture_output=True, text=True, check=False
        )
        return sources.Called(done.returncode, done.stderr)

    graph, problem = sources.graph((), analysis, {"PATH": os.environ["PATH"]}, call)
    assert graph is not None, problem
    assert seen == [(analysis, True)]


def test_what_is_put_around_every_command_is_noted_and_what_snakemake_puts_there_is_not(
    analysis: Path,
) -> None:
    assert parsed(analysis, "").around == ""
    assert parsed(analysis, "shell.prefix('source table.txt; ')").around == "source table.txt; "


def test_the_file_of_a_conda_environment_is_told_with_the_job(analysis: Path) -> None:
    (analysis / "env.yaml").write_text("dependencies: []\n")
    snakefile = "rule b:\n    output: 'b'\n    conda: 'env.yaml'\n    shell: 'true'"
    job = parsed(analysis, snakefile, "b").jobs[0]
    assert Path(job["environment"]).name == "env.yaml"
