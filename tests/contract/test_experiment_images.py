"""An image as the experiments build them behaves the same in every runtime."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from tests.contract.conftest import Relance, say

from relance import digest

pytestmark = pytest.mark.container

NOTHING = "sha256:" + "0" * 64
SETUP = """\
if [ "$SETUP_DONE" != yes ]; then
    export SETUP_DONE=yes EXPERIMENT=here PATH=/opt/exp/bin:$PATH
    export SETUP_HOME=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
fi
"""


@pytest.fixture(scope="module")
def root(root_filesystem: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root with a user 500 and a script in its home that fails under `set -u`."""
    made = tmp_path_factory.mktemp("experiment") / "root"
    shutil.copytree(root_filesystem, made, symlinks=True)
    shutil.copy(shutil.which("dirname") or "", made / "usr/bin/dirname")
    (made / "home/exp").mkdir()
    (made / "home/exp/setup.sh").write_text(SETUP)
    (made / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/bash\nexp:x:500:500::/home/exp:/bin/bash\n")
    (made / "etc/group").write_text("root:x:0:\nexp:x:500:\n")
    for path in (made / "home/exp", made / "home/exp/setup.sh"):
        os.chown(path, 500, 500)
    return made


@pytest.fixture(scope="module")
def runtime_image(root: Path) -> Path:
    made = root.with_name("toy.sqsh")
    say("mksquashfs", root, made, "-quiet", "-no-progress")
    return made


def imported(engine: str, root: Path, environment: dict[str, str]) -> str:
    tar = root.with_name("toy.tar")
    say("tar", "-C", root, "--numeric-owner", "-cf", tar, ".")
    own = ["USER 500:500", "WORKDIR /home/exp", "ENV HOME=/home/exp", "ENV PATH=/usr/bin:/bin"]
    changes = [word for change in own for word in ("--change", change)]
    return say(engine, "import", *changes, tar, env=environment)


def run(experiment: Relance, engine: str, environment: dict[str, str]) -> str:
    """Run both steps; return what the careful one wrote."""
    done = experiment("run", "--runtime", engine, "--keep-going", "--no-reuse", env=environment)
    assert done.returncode == 1, done.stderr
    assert "SETUP_DONE: unbound variable" in done.stderr, "Snakemake's own 'set -u' stops the script"
    assert "'careless' failed" in done.stderr
    assert not (experiment.folder / "results/careless.txt").exists()
    return (experiment.folder / "results/careful.txt").read_text()


@pytest.mark.parametrize("engine", ["apptainer", "podman", "docker"])
def test_a_set_up_script_in_the_home_of_another_user_does_the_same_in_each_runtime(
    engine: str,
    analysis: Callable[[str], Relance],
    root: Path,
    runtime_image: Path,
    request: pytest.FixtureRequest,
) -> None:
    environment = dict(os.environ)
    if engine == "docker":
        environment["DOCKER_HOST"] = request.getfixturevalue("docker_host")
    config = NOTHING if engine == "apptainer" else imported(engine, root, environment)
    experiment = analysis("experiment")
    (experiment.folder / "containers").mkdir()
    runtime = {"path": str(runtime_image), "digest": digest.of_file(runtime_image), "size": 1}
    toy = {"config": config, "key": NOTHING, "manifest": NOTHING, "base": NOTHING, "builder": "podman"}
    toy |= {"reference": "localhost/relance/toy:0", "runtime": runtime}
    listed = yaml.safe_dump({"version": 1, "images": {"toy": toy}})
    (experiment.folder / "containers/images.local.yaml").write_text(listed)
    assert run(experiment, engine, environment) == "here /home/exp /home/relance /opt/exp/bin\n"
