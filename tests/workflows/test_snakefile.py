"""The Snakefile: clean by its linters, portable by its rules, clear when it refuses."""

import ast
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
RULES = ROOT / "workflows/dilepton/rules"
TINY = ["--configfile", "workflows/dilepton/config/tiny.yaml"]


def snakemake(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """The analysis as in a fresh clone: without locally built images."""
    for name in ("workflows", "envs", "specs"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / "containers").mkdir()
    (tmp_path / "containers/images.lock.yaml").symlink_to(ROOT / "containers/images.lock.yaml")
    # A copy, since Snakemake takes its base folder from where a link leads to.
    shutil.copy(ROOT / "Snakefile", tmp_path)
    return tmp_path


def in_clone(clone: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "snakemake", "--cores", "1", "--dry-run", *arguments]
    return subprocess.run(
        command, cwd=clone, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )


def test_the_linter_finds_nothing() -> None:
    done = snakemake("--lint", folder=ROOT)
    assert done.returncode == 0, done.stderr
    assert "good condition" in done.stderr


def test_the_formatter_would_change_nothing() -> None:
    command = [sys.executable, "-m", "snakefmt", "--check", str(ROOT / "Snakefile"), str(RULES)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_every_sample_has_templates_and_independent_pseudodata(clone: Path) -> None:
    done = in_clone(clone, *TINY)
    assert done.returncode == 0, done.stdout
    commands = re.findall(r"rule generate:.*?output: (\S+)", done.stdout, re.DOTALL)
    samples = yaml.safe_load((ROOT / "workflows/dilepton/config/tiny.yaml").read_text("utf-8"))["samples"]
    for sample in samples:
        for stream in ("templates", "pseudodata"):
            assert f"results/tiny/generation/{stream}/{sample}.0.hepmc.gz" in commands
    assert "results/tiny/generation/templates/signal.0.hepmc.gz" in commands
    assert "results/tiny/generation/pseudodata/signal.0.hepmc.gz" not in commands


def test_injected_signal_has_events_of_its_own(clone: Path) -> None:
    done = in_clone(clone, *TINY, "--config", "signal={strength: 2}", "--printshellcmds")
    assert done.returncode == 0, done.stdout
    assert "results/tiny/generation/pseudodata/signal.0.hepmc.gz" in done.stdout
    assert "--signal results/tiny/reduction/pseudodata/signal.0.root --signal-strength 2" in done.stdout


def test_a_given_hepmc_file_takes_the_place_of_generation(clone: Path) -> None:
    (clone / "mine.hepmc").write_text("")
    done = in_clone(clone, *TINY, "--config", "signal={hepmc: mine.hepmc}", "--printshellcmds")
    assert done.returncode == 0, done.stdout
    assert "--input mine.hepmc" in done.stdout
    assert "generation/templates/signal" not in done.stdout


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("signal={mass: 2 pb}", "'signal.mass': expected a unit of energy"),
        ("luminositi=3", "did you mean 'luminosity'?"),
        ("luminosity=-3", "expected more than 0 fb^-1, found -3"),
    ],
)
def test_a_wrong_setting_is_refused_before_any_job(clone: Path, setting: str, words: str) -> None:
    done = in_clone(clone, *TINY, "--config", setting)
    assert done.returncode != 0
    assert words in done.stdout
    assert "Traceback" not in done.stdout
    assert not (clone / "results").exists()


@pytest.mark.parametrize(("installed", "command"), [(True, "relance images build"), (False, "make images")])
def test_containers_without_images_name_the_one_command_to_type(
    clone: Path, monkeypatch: pytest.MonkeyPatch, installed: bool, command: str
) -> None:
    """Somebody who has only cloned has no relance yet, and make installs it."""
    assert "\nimages:" in (ROOT / "Makefile").read_text("utf-8")
    (clone / "Makefile").symlink_to(ROOT / "Makefile")
    programs = clone / "bin"
    programs.mkdir()
    if installed:
        (programs / "relance").symlink_to("/bin/true")
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    done = in_clone(clone, *TINY, "--use-singularity")
    assert done.returncode != 0
    assert f"; type:\n\n    {command}\n" in done.stdout
    assert "Traceback" not in done.stdout


def test_rules_are_portable() -> None:
    """What docs/reana.md says of them."""
    rules = "\n".join(file.read_text("utf-8") for file in sorted(RULES.glob("*.smk")))
    names = re.findall(r"^rule (\w+):", rules, re.MULTILINE)
    assert names == ["fit", "generate", "histogram", "pseudodata", "reduce"]
    for directive in ("container:", "conda:", "log:", "shell:"):
        assert len(re.findall(rf"^    {directive}", rules, re.MULTILINE)) == len(names)
    assert rules.count('"set -euo pipefail; mkdir -p ') == len(names)
    for forbidden in ("script:", "run:", "wrapper:", "benchmark:", "shadow:", "localrules"):
        assert not re.search(rf"^\s*{forbidden}", rules, re.MULTILINE)


@pytest.mark.parametrize("name", ["configuration", "errors", "plan", "units", "__init__"])
def test_what_the_engine_imports_is_python_3_8(name: str) -> None:
    """REANA 0.9's own; that of jsonschema is in the environment of Snakemake 7 (tests/machine)."""
    source = (ROOT / f"workflows/dilepton/scripts/dilepton/{name}.py").read_text("utf-8")
    ast.parse(source, feature_version=(3, 8))
    # Without the future import, `str | None` in a signature would be evaluated.
    assert "from __future__ import annotations" in source or " | " not in source
    assert not re.search(r"\.remove(pre|suf)fix\(|isinstance\([^()]*\|", source)


def test_reana_yaml_sends_every_file_that_the_rules_name() -> None:
    specification = yaml.safe_load((ROOT / "reana.yaml").read_text("utf-8"))
    sent = [*specification["inputs"]["files"], *specification["inputs"]["directories"]]
    for path in (
        *RULES.glob("*.smk"),
        *ROOT.glob("workflows/dilepton/scripts/*.py"),
        ROOT / "containers/images.lock.yaml",
    ):
        relative = path.relative_to(ROOT)
        assert any(relative == Path(name) or Path(name) in relative.parents for name in sent), relative
    for path in sent:
        assert (ROOT / path).exists()
        assert not path.startswith("/")
        assert ".." not in path
