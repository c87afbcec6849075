"""What the engine of this machine makes ready before its containers begin."""

import os
import tempfile
from pathlib import Path

import pytest

from relance.engines import local, roots, slurm
from relance.engines.local import LocalEngine
from relance.errors import InputError
from relance.model import RunRequest, Runtime, RuntimeKind


def test_containers_that_begin_at_once_find_the_place_of_their_folder_in_their_own_tmp() -> None:
    with tempfile.TemporaryDirectory(dir=roots.TEMPORARY) as temporary:
        analysis = Path(temporary)
        (analysis / "Snakefile").write_text("rule all:\n    shell: 'true'\n")
        engine = LocalEngine(Runtime(RuntimeKind.PLAIN, "3.11"), (), (), dict(os.environ))
        request = RunRequest(analysis)
        with engine.opened(request) as folder, engine.starting(request, folder):
            assert (folder.scratch / "tmp" / analysis.relative_to(roots.TEMPORARY)).is_dir()


def test_a_runtime_whose_images_other_machines_lack_is_refused_at_once(
    tmp_path: Path,
) -> None:
    (tmp_path / "Snakefile").touch()

    def never(*_: object) -> None:
        raise AssertionError

    with pytest.raises(InputError, match="--runtime podman: found podman, expected apptainer or plain"):
        local.prepare(
            tmp_path,
            RuntimeKind.PODMAN,
            outer={},
            cache=tmp_path / "cache",
            load=never,
            say=never,
            among=slurm.RUNTIMES,
        )
    assert [path.name for path in tmp_path.iterdir()] == ["Snakefile"]
