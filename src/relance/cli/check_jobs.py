"""What `relance check` asks others: the jobs of a Snakefile, and the users of images."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from relance import digest
from relance.checks.images import Users
from relance.checks.jobs import Job, Jobs
from relance.checks.snakefile_check import Ask
from relance.errors import InputError, RelanceError
from relance.languages import yamlfile
from relance.model import UNKNOWN
from relance.recording import files, sources
from relance.store.importing import entry
from relance.store.layout import Layout


def graph(root: Path, environment: Mapping[str, str]) -> Ask:
    """Return what asks Snakemake for the graph; the Snakefile's Python runs, none of its jobs."""

    def ask(snakefile: str, parameters: Mapping[str, Any]) -> Jobs:
        with tempfile.TemporaryDirectory(prefix="relance-") as scratch:
            arguments = ["--snakefile", str(root / snakefile), "--directory", str(root), "--forceall"]
            settings = _settings(root, parameters)
            if settings:
                given = Path(scratch) / "parameters.json"
                given.write_text(json.dumps(settings), encoding="utf-8")
                arguments += ["--configfile", str(given)]
            # Steps aren't run: an analysis that asks must not need its images now.
            own = {**environment, "RELANCE_RUNTIME": "plain"}
            with _left_as_it_is(root / ".snakemake"):
                found, why = sources.graph(arguments, root, own)
        if found is None:
            raise InputError(
                f"{snakefile}",
                expected="an analysis that 'snakemake --dry-run' accepts",
                found=why or "no reason given",
                next_step="mend that (with --no-parse, only its text is looked at)",
            )
        return Jobs(tuple(_job(job) for job in found.jobs), found.read)

    return ask


def recorded(root: Path) -> Ask | None:
    """Return what gives the jobs of the last recorded run, if the Snakefile is still the same."""
    runs = [run for run in files.runs(root) if run.record and files.is_current(run.folder / files.NAME)]
    if not runs:
        return None
    try:
        record = files.read(runs[-1].folder / files.NAME)
    except RelanceError:
        return None
    main = record["run"]["snakefile"]
    if main == UNKNOWN or not _unchanged(root, [main, *_listed(record["run"]["included"])]):
        return None
    jobs = Jobs(tuple(_recorded(job) for job in record["jobs"]), images=False)
    return lambda _snakefile, _parameters: jobs


def users(store: Path) -> Users:
    """Return what tells the USER of an image that the store has."""

    def user_of(reference: str) -> str | None:
        if not (store / "content").is_dir():
            return None
        layout = Layout(store / "content")
        try:
            manifest = layout.names().get(entry.index_name(reference))
            if manifest is None:
                return None
            document = layout.read_json(manifest.digest)
            settings = layout.read_json(digest.parse(document["config"]["digest"])).get("config") or {}
        except (RelanceError, OSError, KeyError, TypeError, AttributeError):
            return None
        return str(settings.get("User") or "")

    return user_of


@contextmanager
def _left_as_it_is(folder: Path) -> Iterator[None]:
    """Take away what Snakemake makes of a folder that isn't there, unless others put something into it."""
    before = folder.exists()
    try:
        yield
    finally:
        logs = list((folder / "log").glob("*.snakemake.log"))
        if not before and len(logs) <= 1:
            for log in logs:
                log.unlink(missing_ok=True)
            for place, _, _ in os.walk(folder, topdown=False):
                with suppress(OSError):
                    Path(place).rmdir()


def _settings(root: Path, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return the configuration that REANA would give: that of the file named as `input`, and the rest."""
    given = dict(parameters)
    named = given.pop("input", None)
    if isinstance(named, str) and (root / named).is_file():
        content = yamlfile.read(root / named, Path(named)).value
        if isinstance(content, dict):
            given = {**content, **given}
    return given


def _job(told: Mapping[str, Any]) -> Job:
    return Job(
        rule=str(told["rule"]),
        inputs=tuple(told["input"]),
        outputs=tuple(told["output"]),
        logs=tuple(told["log"]),
        command=told["shellcmd"],
        image=told["image"],
    )


def _recorded(job: Mapping[str, Any]) -> Job:
    return Job(
        rule=str(job["rule"]),
        inputs=tuple(job["inputs"]),
        outputs=tuple(job["outputs"]),
        logs=tuple(job["logs"]),
        command=None if job["command"] == UNKNOWN else job["command"],
    )


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _unchanged(root: Path, written: list[Mapping[str, Any]]) -> bool:
    for one in written:
        path = root / str(one["path"])
        if not path.is_file() or digest.of_bytes(path.read_bytes()) != one["digest"]:
            return False
    return True
