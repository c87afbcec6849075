"""The package's layers: each module imports only from its own layer or one above."""

import ast
import re
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src" / "relance"
LAYERS = (
    ("errors", "model", "__init__"),
    ("digest", "document", "schema", "units", "formats"),
    ("specification",),
    ("results",),
    ("drafting",),
    ("store",),
    ("languages",),
    ("checks",),
    ("engines",),
    ("recording",),
    ("steps",),
    ("capsule",),
    ("capture", "rerun", "compare", "conversion"),
    ("verify", "recast", "scan"),
    ("api",),
    ("inference",),
    ("catalogue",),
    ("publish",),
    ("web",),
    ("cli", "__main__"),
)
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}


def imported(tree: ast.Module) -> list[str]:
    """Return the parts of relance that a module names in its imports, wherever they stand."""
    names = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports hide the layer"
            if node.module == "relance":
                names += [f"relance.{alias.name}" for alias in node.names]
            else:
                names.append(node.module or "")
    return [name.split(".")[1] for name in names if name.startswith("relance.")]


def upward(source: Path) -> list[str]:
    """Return every import of a package that points from an upper layer to a lower one."""
    found = []
    for path in sorted(source.rglob("*.py")):
        part = path.relative_to(source).parts[0].removesuffix(".py")
        for name in imported(ast.parse(path.read_text("utf-8"))):
            target = name if name in LEVEL else "__init__"  # a name such as __version__
            if LEVEL[target] > LEVEL[part]:
                found.append(f"{path.relative_to(source)} imports relance.{name}")
    return found


def test_every_module_has_a_layer() -> None:
    parts = {path.relative_to(SOURCE).parts[0].removesuffix(".py") for path in SOURCE.rglob("*.py")}
    assert parts <= set(LEVEL)


def test_the_architecture_on_one_page_names_every_part_and_package() -> None:
    page = (SOURCE.parents[1] / "CONTRIBUTING.md").read_text("utf-8")
    parts = {path.relative_to(SOURCE).parts[0].removesuffix(".py") for path in SOURCE.rglob("*.py")}
    packages = {path.name for path in SOURCE.parent.glob("snakemake_*") if path.is_dir()}
    named = set(re.findall(r"\w+", page))
    assert (parts - {"__init__", "__main__"}) | packages <= named


def test_imports_point_one_way() -> None:
    assert upward(SOURCE) == []


@pytest.mark.parametrize(
    "line", ["from relance.cli import run", "import relance.cli.run", "from relance import cli"]
)
def test_an_upward_import_is_found(tmp_path: Path, line: str) -> None:
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "blobs.py").write_text(f"def f():\n    {line}\n")
    assert upward(tmp_path) == ["store/blobs.py imports relance.cli"]


@pytest.mark.parametrize("program", ["standin/program.py", "standin/measured.py", "observer.py"])
def test_what_is_run_by_path_loads_nothing_but_the_standard_library_at_first(program: str) -> None:
    tree = ast.parse((SOURCE / "engines" / program).read_text("utf-8"))
    modules = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    modules |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    later = {"snakemake.api", "snakemake_report_plugin_relance"}
    later |= {"measured", "relance.engines.standin"}  # the one beside it, by either name
    assert modules - later <= set(sys.stdlib_module_names)
