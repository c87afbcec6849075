"""`recast.json`: what a recast is of, what it changed, and what came of it; canonical JSON."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from relance import digest, schema
from relance.capsule.model import Parent
from relance.document import Document
from relance.errors import InputError
from relance.model import Digest, RuntimeKind
from relance.recast.changes import Checked
from relance.recast.model import Audited, Job, Planned, Recast
from relance.results import Bands, Result, ResultFile
from relance.specification.model import Interface
from relance.store.atomic import write_bytes

NAME = "recast.json"
_VERSION = 1


def begin(folder: Path, beginning: Mapping[str, Any]) -> None:
    """Write that a recast is under way."""
    write_bytes(folder / NAME, _dump({**beginning, "status": "unfinished"}))


def finish(recast: Recast, beginning: Mapping[str, Any]) -> Path:
    """Write what came of a recast; return the file's path."""
    path = recast.folder / NAME
    content = _dump({**beginning, **_outcome(recast), "status": "ok"})
    write_bytes(path, content)
    write_bytes(recast.analysis / NAME, content)  # for who captures the analysis as it is now
    return path


def beginning(
    parent: Digest, name: str, version: str, changes: Checked, interface: Interface
) -> dict[str, Any]:
    """Return what is known before anything ran."""
    return {
        "format": "recast-result",
        "version": _VERSION,
        "parent": {"digest": parent, "name": name, "version": version},
        "changes": {
            "digest": changes.digest,
            "case": changes.case,
            "configuration": changes.configuration,
            "parameters": {
                name: {"value": value, "unit": interface.parameters[name].unit}
                for name, value in changes.parameters.items()
            },
            "inputs": {
                name: {
                    "path": given.place,
                    "digest": given.digest,
                    "size": given.size,
                    "format": given.format,
                    "level": given.level,
                }
                for name, given in changes.inputs.items()
            },
            "settings": changes.settings,
        },
        "conditions": {},
        "results": {},
        "jobs": [],
        "validation": [],
        "audit": [],
        "times": {"started": None, "seconds": None, "runtime": None, "jobs": {}},
    }


def read(folder: Path) -> Mapping[str, Any] | None:
    """Return the content of a folder's `recast.json`; None if there is none.

    Raises:
        InputError: it is something else.
    """
    path = folder / NAME
    try:
        content = json.loads(path.read_bytes())
        told = (content["format"], content["version"])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        told = ("something else", 0)
    if told != ("recast-result", _VERSION):
        raise InputError(
            str(path),
            expected=f"the record of a recast, version {_VERSION}",
            found=" ".join(map(str, told))[:80],
            next_step="name another folder with -o",
        )
    found: Mapping[str, Any] = content
    return found


def same(former: Mapping[str, Any], beginning: Mapping[str, Any], keys: Iterable[str]) -> bool:
    """Return whether two records say the same in some of their parts."""
    return all(digest.of_json(former.get(key)) == digest.of_json(beginning[key]) for key in keys)


def completed(recast: Recast, former: Mapping[str, Any]) -> Recast:
    """Return a recast with what its record tells of the run: jobs, audit and times."""
    times = former["times"]
    jobs = tuple(
        Job(job["name"], job["state"], job["why"], times["jobs"].get(job["name"])) for job in former["jobs"]
    )
    audit = tuple(Audited(audited["job"], tuple(audited["differing"])) for audited in former["audit"])
    runtime = RuntimeKind(times["runtime"]) if times["runtime"] else None
    return replace(
        recast,
        jobs=jobs,
        audit=audit,
        runtime=runtime,
        started=times["started"],
        seconds=times["seconds"],
    )


def parent_of(analysis: Path) -> Parent | None:
    """Return what the analysis in a folder is a recast of; None if it is none.

    Raises:
        InputError: its `recast.json` is something else.
    """
    content = read(analysis)
    if content is None:
        return None
    schema.check(Document(analysis / NAME, content, {}), schema.bundled("recast-result"))
    changes = content["changes"]
    return Parent(
        digest.parse(content["parent"]["digest"]),
        {name: given["value"] for name, given in changes["parameters"].items()},
        {name: Digest(given["digest"]) for name, given in changes["inputs"].items()},
    )


def text_of_plan(planned: Planned) -> str:
    """Return what a recast would run, as JSON."""
    content = {
        "parent": planned.parent,
        "changes": planned.changes.digest,
        "jobs": [{"name": job.name, "state": job.state, "why": job.why} for job in planned.jobs],
        "fetched": dict(planned.fetched),
        "left": dict(planned.left),
    }
    return json.dumps(content, indent=2, ensure_ascii=False)


def _dump(content: Mapping[str, Any]) -> bytes:
    return digest.canonical_json(content) + b"\n"


def _outcome(recast: Recast) -> dict[str, Any]:
    captured = recast.captured
    return {
        "conditions": {name: dataclasses.asdict(found) for name, found in recast.conditions.items()},
        "results": {
            name: {
                "title": result.title,
                "type": result.type,
                "unit": result.unit,
                "hidden": result.hidden,
                "captured": _value(captured.get(name) if captured else None),
                "recast": _value(result),
            }
            for name, result in recast.results.items()
        },
        "jobs": [{"name": job.name, "state": job.state, "why": job.why} for job in recast.jobs],
        "validation": [
            {
                "result": judged.name,
                "unit": judged.unit,
                "reference": judged.reference.value,
                "tolerance": judged.reference.tolerance,
                "found": judged.found,
                "agrees": judged.agrees,
            }
            for judged in recast.validation
        ],
        "audit": [dataclasses.asdict(audited) for audited in recast.audit],
        "times": {
            "started": recast.started,
            "seconds": recast.seconds,
            "runtime": recast.runtime,
            "jobs": {job.name: job.seconds for job in recast.jobs if job.seconds is not None},
        },
    }


def plain(value: float | Bands | ResultFile | None) -> Any:
    """Return a result's value as JSON says it."""
    return dataclasses.asdict(value) if isinstance(value, (Bands, ResultFile)) else value


def _value(result: Result | None) -> Any:
    return plain(result.value) if result else None
