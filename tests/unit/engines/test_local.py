"""What the engine of this machine makes ready before its containers begin."""

import os
import tempfile
from pathlib import Path

from relance.engines import roots
from relance.engines.local import LocalEngine
from relance.model import RunRequest, Runtime, RuntimeKind


def test_containers_that_begin_at_once_find_the_place_of_their_folder_in_their_own_tmp() -> None:
    with tempfile.TemporaryDirectory(dir=roots.TEMPORARY) as temporary:
        analysis = Path(temporary)
        (analysis / "Snakefile").write_text("rule all:\n    shell: 'true'\n")
        engine = LocalEngine(Runtime(RuntimeKind.PLAIN, "3.11"), (), (), dict(os.environ))
        request = RunRequest(analysis)
        with engine.opened(request) as folder, engine.starting(request, folder):
            assert (folder.scratch / "tmp" / analysis.relative_to(roots.TEMPORARY)).is_dir()
