"""Which run is the last."""

import json
from pathlib import Path

import pytest

from relance.cli import record
from relance.engines import folders
from relance.errors import InputError


def test_a_run_that_goes_on_is_not_recorded_and_named(tmp_path: Path) -> None:
    run = tmp_path / ".snakemake" / "relance" / "run-new"
    run.mkdir(parents=True)
    job = {"event": "job_info", "time": 1.0, "jobid": 1, "rule": "a"}
    (run / "events.jsonl").write_text(f"{json.dumps(job)}\n")
    with folders.held(run), pytest.raises(InputError, match="run-new, which goes on"):
        record.last(tmp_path, quiet=True)
    assert sorted(path.name for path in run.iterdir()) == ["events.jsonl", "lock"]
