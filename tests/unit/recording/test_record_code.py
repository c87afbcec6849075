"""The source files that a job's code reaches are found in real trees, whatever way they are named."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relance.model import UNKNOWN
from relance.recording.code import JobCode, Parsed, SourceTree

PROGRAM = "python scripts/run.py results/out.txt"


def tree(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def reached(folder: Path, files: dict[str, str], command: str = PROGRAM) -> set[str]:
    found = SourceTree(tree(folder, files), ["results/out.txt"]).of_job(JobCode("shell", command))
    assert found != UNKNOWN
    assert list(found) == sorted(found)
    return set(found)


PYTHON = {
    "a module beside the script": ("import near", {"scripts/near.py"}),
    "a module of a package": ("import pack.inner", {"scripts/pack/__init__.py", "scripts/pack/inner.py"}),
    "a submodule taken from a package": (
        "from pack import inner",
        {"scripts/pack/__init__.py", "scripts/pack/inner.py"},
    ),
    "everything of a package": (
        "from pack import *",
        {"scripts/pack/__init__.py", "scripts/pack/inner.py", "scripts/pack/table.csv"},
    ),
    "an import inside of a function": ("def f():\n    import near", {"scripts/near.py"}),
    "a module of the analysis's folder": ("import top", {"top.py"}),
    "a folder put on sys.path": ("import sys\nsys.path.insert(0, 'lib')\nimport deep", {"lib/deep.py"}),
    "a folder beside put on sys.path": (
        "import sys, os\nsys.path.append(os.path.join(os.path.dirname(__file__), '..', 'lib'))\nimport deep",
        {"lib/deep.py"},
    ),
    "a folder on sys.path that only a run can tell": (
        "import sys\nsys.path[0:0] = [compute()]\nimport deep",
        {"lib/deep.py"},
    ),
    "a constant path": ("open('tables/a.csv')", {"tables/a.csv"}),
    "a path from __file__": (
        "from pathlib import Path\nopen(Path(__file__).parent / 'pack' / 'table.csv')",
        {"scripts/pack/table.csv"},
    ),
    "a path from a folder that has a name": (
        "from pathlib import Path\nHERE = Path(__file__).resolve().parents[1]\nopen(HERE / 'tables/a.csv')",
        {"tables/a.csv"},
    ),
    "a computed name in a constant folder": ("open('tables/' + name)", {"tables/a.csv", "tables/b.csv"}),
    "a formatted name in a constant folder": ("open(f'tables/{name}.csv')", {"tables/a.csv", "tables/b.csv"}),
    "an old formatted name": ("open('tables/%s.csv' % name)", {"tables/a.csv", "tables/b.csv"}),
    "a folder by a bare word": ("import os\nos.listdir('tables')", {"tables/a.csv", "tables/b.csv"}),
    "a folder behind a name": (
        "TABLES = 'tables'\nopen(TABLES + '/' + name)",
        {"tables/a.csv", "tables/b.csv"},
    ),
    "a command in a list": ("run(['bash', 'tools/x.sh'])", {"tools/x.sh", "tools/y.sh", "tables/a.csv"}),
    "a command in a text": ("run('bash tools/x.sh')", {"tools/x.sh", "tools/y.sh", "tables/a.csv"}),
    "a module run by -m": ("run([sys.executable, '-m', 'top'])", {"top.py"}),
}


@pytest.fixture
def files() -> dict[str, str]:
    return {
        "scripts/near.py": "",
        "scripts/pack/__init__.py": "",
        "scripts/pack/inner.py": "",
        "scripts/pack/table.csv": "1,2\n",
        "scripts/unrelated/other.py": "",
        "top.py": "",
        "lib/deep.py": "",
        "tables/a.csv": "1\n",
        "tables/b.csv": "2\n",
        "tools/x.sh": "#!/bin/sh\n. tools/y.sh\n",
        "tools/y.sh": "cat tables/a.csv\n",
        "results/out.txt": "made",
        "results/other.txt": "made",
    }


@pytest.mark.parametrize("what", PYTHON)
def test_a_python_script_reaches(what: str, files: dict[str, str], tmp_path: Path) -> None:
    text, expected = PYTHON[what]
    assert reached(tmp_path, {**files, "scripts/run.py": text}) == {"scripts/run.py", *expected}


@pytest.mark.parametrize(
    "text",
    [
        "import importlib\nimportlib.import_module(name)",
        "__import__(name)",
        "exec(open(path).read())",
        "import runpy",
        "open(os.path.join(os.path.dirname(__file__), name))",
        "from pathlib import Path\nPath(__file__).with_name(name).read_text()",
        "print 'of another age'",
    ],
)
def test_a_script_that_computes_what_it_loads_reaches_its_whole_folder(
    text: str, files: dict[str, str], tmp_path: Path
) -> None:
    found = reached(tmp_path, {**files, "scripts/run.py": text})
    assert found == {name for name in [*files, "scripts/run.py"] if name.startswith("scripts/")}


@pytest.mark.parametrize(
    "text",
    [
        '"""Reads tables/a.csv, as scripts/near.py does."""',
        "from importlib import metadata",
        "model.eval()",
        "raise ValueError('give what near.py wrote')",
        "settings = {'tables': 1}; settings['tables']; settings.get('tables')",
        "', '.join(names)",
        "import numpy, json",
        "# import near",
    ],
)
def test_what_only_mentions_a_file_reaches_nothing(text: str, files: dict[str, str], tmp_path: Path) -> None:
    assert reached(tmp_path, {**files, "scripts/run.py": text}) == {"scripts/run.py"}


COMMANDS = {
    "cd scripts && python near.py": {"scripts/near.py"},
    "(cd tables; cat *)": {"tables/a.csv", "tables/b.csv"},
    "PYTHONPATH=lib python -c 'import deep'": {"lib/deep.py"},
    "python -m scripts.pack.inner": {"scripts/pack/__init__.py", "scripts/pack/inner.py"},
    "python scripts/pack/inner.py": {"scripts/pack/__init__.py", "scripts/pack/inner.py"},
    "bash tools/x.sh > results/out.txt": {"tools/x.sh", "tools/y.sh", "tables/a.csv"},
    ". ./tools/y.sh": {"tools/y.sh", "tables/a.csv"},
    "merge --tables=tables --out results/out.txt": {"tables/a.csv", "tables/b.csv"},
    "sort 'tables/a.csv' \"tables/b.csv\"": {"tables/a.csv", "tables/b.csv"},
    "cat @tables/a.csv": {"tables/a.csv"},
    "python - <<END\nimport top\nEND": {"top.py"},
    "touch results/out.txt ../elsewhere /etc/passwd": set(),
}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_reaches(command: str, files: dict[str, str], tmp_path: Path) -> None:
    assert reached(tmp_path, files, command) == COMMANDS[command]


def test_a_program_among_the_inputs_is_followed_though_no_command_names_it(
    files: dict[str, str], tmp_path: Path
) -> None:
    files["scripts/run.py"] = "import near"
    job = JobCode("shell", "launcher", inputs=("scripts/run.py", "tables/a.csv"))
    assert SourceTree(tree(tmp_path, files), []).of_job(job) == ("scripts/near.py", "scripts/run.py")


def test_the_environment_of_a_rule_counts_and_names_nothing_further(
    files: dict[str, str], tmp_path: Path
) -> None:
    files["envs/x.yaml"] = "dependencies: [tables/a.csv]\n"
    job = JobCode("shell", "cat tables/b.csv", environment="envs/x.yaml")
    assert SourceTree(tree(tmp_path, files), []).of_job(job) == ("envs/x.yaml", "tables/b.csv")


def test_sources_of_other_languages_are_followed(tmp_path: Path) -> None:
    files = {
        "macros/fit.C": '#include "tools.h"\nvoid fit() { gROOT->LoadMacro("macros/draw.C+"); }\n',
        "macros/tools.h": '#include "units.h"\n',
        "include/units.h": "// see macros/unread.h\n",
        "macros/draw.C": "",
        "macros/unread.h": "",
        "plot.R": 'source("helper.R")\n',
        "helper.R": "",
        "Makefile": "include common.mk\n",
        "common.mk": "",
    }
    assert reached(tmp_path, files, "root -l -b -q 'macros/fit.C(1, 2)' -Iinclude") == {
        "macros/fit.C",
        "macros/tools.h",
        "macros/draw.C",
        "include/units.h",
    }
    assert reached(tmp_path, files, "Rscript plot.R") == {"plot.R", "helper.R"}
    assert reached(tmp_path, files, "make all") == {"Makefile", "common.mk"}


@pytest.mark.parametrize(
    "named",
    [
        "${0%/*}/lines.sh",
        '"$(dirname "$0")"/lines.sh',
        "$(dirname $0)/lines.sh",
        "$HERE/lines.sh",
        "`pwd`/lines.sh",
    ],
)
def test_a_script_beside_the_script_is_followed(named: str, tmp_path: Path) -> None:
    files = {"scripts/count.sh": f"source {named}\n", "scripts/lines.sh": "", "scripts/other.sh": ""}
    assert reached(tmp_path, files, "bash scripts/count.sh") == {"scripts/count.sh", "scripts/lines.sh"}


def test_what_is_cut_off_a_parameter_is_no_path_but_its_default_is(tmp_path: Path) -> None:
    files = {
        "scripts/a.sh": "x=${0%/*}; y=${1#*/}; . ${LIB:-scripts/lib.sh}\n",
        "scripts/lib.sh": "",
        "notes.py": "",
    }
    assert reached(tmp_path, files, "bash scripts/a.sh") == {"scripts/a.sh", "scripts/lib.sh"}


def test_the_specification_is_no_source_unless_a_job_names_it(tmp_path: Path) -> None:
    files = {
        "specs/mine.yaml": "format: analysis-specification\n",
        "specs/settings.yaml": "a: 1\n",
        "run.py": "",
    }
    assert reached(tmp_path, files, "python run.py specs") == {"run.py", "specs/settings.yaml"}
    assert "specs/mine.yaml" in reached(tmp_path, files, "python run.py specs/mine.yaml")


def test_relative_imports_are_followed(tmp_path: Path) -> None:
    files = {
        "scripts/run.py": "from pack.inner import a",
        "scripts/pack/__init__.py": "",
        "scripts/pack/inner/__init__.py": "from .a import x\nfrom . import b\nfrom ..sibling import y",
        "scripts/pack/inner/a.py": "",
        "scripts/pack/inner/b.py": "",
        "scripts/pack/inner/c.py": "",
        "scripts/pack/sibling.py": "",
    }
    assert reached(tmp_path, files) == set(files) - {"scripts/pack/inner/c.py"}


def test_a_notebook_is_followed_as_the_python_it_holds(tmp_path: Path) -> None:
    cells = [
        {"cell_type": "markdown", "source": ["import unread"]},
        {"cell_type": "code", "source": ["%matplotlib inline\n", "import near\n", "!bash tool.sh"]},
    ]
    files = {
        "notebooks/look.ipynb": json.dumps({"cells": cells}),
        "notebooks/near.py": "",
        "notebooks/unread.py": "",
        "tool.sh": "",
    }
    job = JobCode("notebook", None, script=str(tmp_path / "notebooks/look.ipynb"))
    assert SourceTree(tree(tmp_path, files), []).of_job(job) == (
        "notebooks/look.ipynb",
        "notebooks/near.py",
    )


def test_programs_and_settings_among_the_inputs_count_and_data_do_not(tmp_path: Path) -> None:
    files = {
        "run.py": "import near",
        "near.py": "",
        "cuts.yaml": "table: tables/a.csv\n",
        "tables/a.csv": "1\n",
        "data.csv": "1\n",
        "results/made.py": "",
    }
    inputs = ("run.py", "cuts.yaml", "data.csv", "results/made.py")
    found = SourceTree(tree(tmp_path, files), ["results/made.py", "results/out.txt"]).of_job(
        JobCode("shell", "run run.py cuts.yaml data.csv results/made.py", inputs=inputs)
    )
    assert found == ("cuts.yaml", "near.py", "run.py", "tables/a.csv")


def test_of_a_folder_that_jobs_write_to_only_programs_and_settings_count(tmp_path: Path) -> None:
    files = {"work/tool.py": "", "work/cuts.yaml": "", "work/left.root": "", "work/made.root": ""}
    found = SourceTree(tree(tmp_path, files), ["work/made.root"]).of_job(JobCode("shell", "tool --in work"))
    assert found == ("work/cuts.yaml", "work/tool.py")


def test_code_in_the_snakefile_reaches_what_the_snakefile_has(tmp_path: Path) -> None:
    files = {
        "Snakefile": "include: 'more.smk'\nrule a:\n  run:\n    import lazy\n    open('tables/a.csv')\n",
        "more.smk": "",
        "lazy.py": "import lazier",
        "lazier.py": "",
        "plan.py": "",
        "tables/a.csv": "",
        "unread.py": "",
    }
    parsed = Parsed((str(tmp_path / "Snakefile"), str(tmp_path / "more.smk")), ("Snakefile", "plan.py"))
    sources = SourceTree(tree(tmp_path, files), [], parsed)
    assert set(sources.of_job(JobCode("run", None))) == set(files) - {"unread.py"}
    script = JobCode("script", None, script=str(tmp_path / "plan.py"))
    assert set(sources.of_job(script)) == {"Snakefile", "more.smk", "plan.py"}
    assert sources.of_job(JobCode("shell", "true")) == ()


def test_code_that_nobody_can_see_is_unknown(tmp_path: Path) -> None:
    sources = SourceTree(tmp_path, [])
    assert sources.of_job(JobCode("other", None)) == UNKNOWN
    assert sources.of_job(JobCode("shell", None)) == UNKNOWN


def test_links_that_go_in_circles_end(tmp_path: Path) -> None:
    tree(tmp_path, {"scripts/run.py": "exec(x)"})
    (tmp_path / "scripts" / "again").symlink_to(tmp_path / "scripts")
    (tmp_path / "scripts" / "nowhere.py").symlink_to("missing")
    assert reached(tmp_path, {}) == {"scripts/run.py"}


WAYS = (
    "import {0}",
    "from {0} import x",
    "def f():\n    import {0} as y",
    "try:\n    import {0}\nexcept E: pass",
)


@given(st.lists(st.sampled_from(WAYS), min_size=1, max_size=30))
def test_a_chain_of_imports_is_followed_to_its_end(
    tmp_path_factory: pytest.TempPathFactory, ways: list[str]
) -> None:
    folder = tmp_path_factory.mktemp("chain")
    names = ["run", *(f"m{number}" for number in range(len(ways)))]
    files = {
        f"scripts/{name}.py": way.format(after)
        for name, way, after in zip(names, ways, names[1:], strict=False)
    }
    files[f"scripts/{names[-1]}.py"] = ""
    assert reached(folder, {**files, "scripts/lonely.py": ""}) == set(files)


@given(st.text(max_size=200))
def test_no_text_upsets_the_search(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    folder = tmp_path_factory.mktemp("text")
    tree(folder, {"run.sh": "", "run.py": ""})
    (folder / "run.sh").write_text(text, "utf-8", "surrogatepass")
    (folder / "run.py").write_text(text, "utf-8", "surrogatepass")
    found = SourceTree(folder, []).of_job(JobCode("shell", f"bash run.sh; python run.py; {text}"))
    assert found == UNKNOWN or set(found) <= {"run.sh", "run.py"}
