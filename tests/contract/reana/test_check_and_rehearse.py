"""What `relance check` says of folders is what a rehearsal shows."""

import json
import shutil
from pathlib import Path

import pytest
import yaml
from tests.contract.conftest import Relance, say

from relance import digest

pytestmark = pytest.mark.container

ORDERED = Path(__file__).parents[2] / "analyses/ordered"
NOTHING = "sha256:" + "0" * 64


@pytest.fixture
def relance(root_filesystem: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Relance:
    monkeypatch.setenv("RELANCE_STORE", str(tmp_path / "store"))
    root, file = tmp_path / "root", tmp_path / "toy.sqsh"
    shutil.copytree(root_filesystem, root, symlinks=True)
    shutil.copy(shutil.which("mkdir") or "", root / "usr/bin")
    say("mksquashfs", root, file, "-all-root", "-quiet", "-no-progress")
    toy = {"config": NOTHING, "key": NOTHING, "manifest": NOTHING, "base": NOTHING, "builder": "podman"}
    toy |= {"runtime": {"path": str(file), "digest": digest.of_file(file), "size": 1}}
    toy |= {"reference": "localhost/relance/toy:0"}
    folder = tmp_path / "analysis"
    shutil.copytree(ORDERED, folder)
    (folder / "containers").mkdir()
    (folder / "containers/images.local.yaml").write_text(
        yaml.safe_dump({"version": 1, "images": {"toy": toy}})
    )
    return Relance(folder)


def test_a_rule_breaks_whose_folder_only_a_later_one_makes_and_check_has_said_so(
    relance: Relance, tmp_path: Path
) -> None:
    said = json.loads(relance("check", "--for", "reana", "--no-parse", "--format", "json").stdout)["findings"]
    (told,) = [one for one in said if one["code"] in {"RL303", "RL304"}]
    assert told["subject"] == "rule first"
    assert told["found"].endswith("only rule second makes it, which need not come before")
    options = ("--runtime", "apptainer", "--keep-going", "--keep", str(tmp_path / "kept"))
    done = relance("reana", "rehearse", *options)
    assert done.returncode == 1, done.stderr
    assert done.stderr.count("Error in rule ") == 1, done.stderr
    assert "late/first.txt: No such file or directory" in done.stderr
    assert (tmp_path / "kept/workspace/behind/last.txt").read_text() == "made\n"
