"""Runs workflows in cwltool; prints as JSON what each handed out and which commands it ran.

Its arguments: the folder of the workflows, a folder to run in, and names of workflows.
"""

import io
import json
import logging
import sys
from pathlib import Path
from typing import Any

from cwltool.context import RuntimeContext
from cwltool.executors import SingleJobExecutor
from cwltool.main import main


class Executor(SingleJobExecutor):
    """Keeps the words of every command."""

    def __init__(self) -> None:
        super().__init__()
        self.commands: list[list[str]] = []

    def run_jobs(self, process: Any, job_order_object: Any, logger: Any, context: RuntimeContext) -> None:
        def noting(jobs: Any) -> Any:
            for job in jobs:
                if getattr(job, "command_line", None):
                    self.commands.append([str(word) for word in job.command_line])
                yield job

        make = process.job
        process.job = lambda *given: noting(make(*given))
        super().run_jobs(process, job_order_object, logger, context)


def run(folder: Path, scratch: Path, name: str) -> dict[str, Any]:
    """Run one workflow."""
    executor, said = Executor(), io.StringIO()
    given = folder / f"{name}.job.yml"
    words = ["--no-container", "--quiet", "--disable-color", "--outdir", str(scratch / name)]
    words += ["--tmpdir-prefix", str(scratch / "tmp" / ""), "--tmp-outdir-prefix", str(scratch / "out" / "")]
    words += [str(folder / f"{name}.cwl"), *([str(given)] if given.exists() else [])]
    status = main(words, stdout=said, executor=executor, logger_handler=logging.StreamHandler(sys.stderr))
    return {"status": status, "outputs": json.loads(said.getvalue() or "null"), "commands": executor.commands}


if __name__ == "__main__":
    top, place, *names = sys.argv[1:]
    print(json.dumps({name: run(Path(top), Path(place), name) for name in names}))  # noqa: T201
