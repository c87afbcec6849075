"""An analysis run here as REANA runs it: what would break there breaks, what would pass there passes."""

import os
import shutil
from pathlib import Path

import pytest
import yaml
from tests.contract.conftest import Relance, say

from relance import digest

pytestmark = pytest.mark.container

REHEARSED = Path(__file__).parents[2] / "analyses/rehearsed"
NOTHING = "sha256:" + "0" * 64


@pytest.fixture(scope="module")
def image(root_filesystem: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root with a file that only root may read."""
    made = tmp_path_factory.mktemp("rehearsed") / "root"
    shutil.copytree(root_filesystem, made, symlinks=True)
    shutil.copy(shutil.which("mkdir") or "", made / "usr/bin")
    (made / "etc/only-root").write_text("secret\n")
    (made / "etc/only-root").chmod(0o600)
    say("mksquashfs", made, made.with_name("toy.sqsh"), "-all-root", "-quiet", "-no-progress")
    return made


def prepared(folder: Path, engine: str, image: Path) -> Relance:
    shutil.copytree(REHEARSED, folder)
    config = NOTHING
    if engine == "podman":
        tar = image.with_name("toy.tar")
        say("tar", "-C", image, "--owner=0", "--group=0", "-cf", tar, ".")
        config = say("podman", "import", "--quiet", tar)
    file = image.with_name("toy.sqsh")
    runtime = {"path": str(file), "digest": digest.of_file(file), "size": 1}
    toy = {"config": config, "key": NOTHING, "manifest": NOTHING, "base": NOTHING, "builder": "podman"}
    toy |= {"reference": "localhost/relance/toy:0", "runtime": runtime}
    (folder / "containers").mkdir()
    listed = yaml.safe_dump({"version": 1, "images": {"toy": toy}})
    (folder / "containers/images.local.yaml").write_text(listed)
    return Relance(folder)


@pytest.mark.parametrize("engine", ["apptainer", "podman"])
def test_what_breaks_on_reana_breaks_in_a_rehearsal(
    engine: str, image: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RELANCE_STORE", str(tmp_path / "store"))
    relance = prepared(tmp_path / "analysis", engine, image)
    options = ("--runtime", engine, "--keep-going", "--keep", str(tmp_path / "kept"))
    done = relance("reana", "rehearse", *options)
    assert done.returncode == 1, done.stderr
    workspace = tmp_path / "kept/workspace"
    assert (workspace / "results/good.txt").read_text() == "one\n1000\n0\n"
    assert (workspace / "pipe.txt").read_text() == "half\n", "a pipe that fails passes there, and so here"
    assert "Error in rule folder:" in done.stderr
    assert "unmade/folder.txt: No such file or directory" in done.stderr
    assert "Error in rule root:" in done.stderr
    assert "Permission denied" in done.stderr
    assert "Error in rule pipe:" not in done.stderr
    assert not (workspace / "data/two.txt").exists(), "what reana.yaml doesn't send isn't there"
    assert not (relance.folder / ".snakemake").exists()
    assert (workspace / "pipe.txt").stat().st_uid == (1000 if os.geteuid() == 0 else os.getuid())


def test_a_good_analysis_passes_and_a_script_is_refused(
    image: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RELANCE_STORE", str(tmp_path / "store"))
    relance = prepared(tmp_path / "analysis", "apptainer", image)
    snakefile = relance.folder / "Snakefile"
    text = snakefile.read_text()
    for name in ("unmade/folder.txt", "pipe.txt", "root.txt"):
        text = text.replace(f'        "{name}",\n', "", 1)
    snakefile.write_text(text)
    done = relance("reana", "rehearse")
    assert done.returncode == 0, done.stderr
    assert "it would run on REANA" in done.stdout
    (relance.folder / "script.sh").write_text("echo one > ${snakemake_output[0]}\n")
    snakefile.write_text(
        text.replace("    shell:", '    script:\n        "script.sh"\n\n\nrule x:\n    shell:', 1)
    )
    declared = relance.folder / "reana.yaml"
    declared.write_text(declared.read_text().replace("[Snakefile", "[Snakefile, script.sh"))
    done = relance("reana", "rehearse")
    assert done.returncode == 1
    assert "rule good has no 'shell:'" in done.stderr


@pytest.mark.parametrize("engine", ["apptainer", "podman"])
def test_an_image_that_can_not_be_had_here_says_nothing_about_reana(
    engine: str, image: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RELANCE_STORE", str(tmp_path / "store"))
    relance = prepared(tmp_path / "analysis", engine, image)
    snakefile = relance.folder / "Snakefile"
    text = snakefile.read_text().replace('        "unmade/folder.txt",\n        "pipe.txt",\n', "", 1)
    before, rule, after = text.partition("rule root:")
    gone = "docker://localhost:9/group/gone:1"
    snakefile.write_text(before + rule + after.replace("docker://relance/toy", gone))
    done = relance("reana", "rehearse", "--runtime", engine, "--jobs=1")
    assert done.returncode == 3, done.stderr
    told = done.stderr.splitlines()[-1]
    assert f"image '{gone}' of 'root': found a registry that doesn't answer: no connection" in told
    assert "rehearse again; it says nothing about REANA" in told
    assert "would break on REANA" not in done.stderr, done.stderr
