"""Outputs of jobs that Snakemake's graph has no more: those of and above a checkpoint that is done."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from relance import digest
from relance.errors import InputError
from relance.model import Digest
from relance.recording.sources import Graph
from relance.steps import entries, ledger, notes
from relance.steps.entries import Entry
from relance.steps.order import and_folders
from relance.steps.plan import Situation
from relance.store.store import Store


def outdated(situation: Situation, store: Store, hashed: Callable[[str], Digest | None]) -> Mapping[str, str]:
    """Return the outputs of earlier runs that other code or inputs would make now, and why.

    Only those that jobs read, that no job of the graph makes, and that nobody touched since. Changed
    parameters are Snakemake's own matter: it sees them also in a checkpoint that is done.

    Args:
        situation: the analysis as it is.
        store: knows what the jobs were that made them.
        hashed: digest of what lies at a path; None if nothing does.
    """
    look = _Look(situation, store, hashed)
    made = {path for asked in situation.jobs for path in asked.record.outputs}
    found = {}
    for path in dict.fromkeys(path for asked in situation.jobs for path in asked.record.inputs):
        if made.isdisjoint(and_folders(path)):
            output = next((name for name in and_folders(path) if name in situation.made), None)
            if output is not None and output not in found:
                why = look.why(output)
                if why:
                    found[output] = why
    return found


def unseen(
    situation: Situation, store: Store, hashed: Callable[[str], Digest | None], analysis: Path, now: Digest
) -> tuple[str, ...]:
    """Return the outputs that were restored and of which nobody would see that their parameters changed.

    Snakemake has no notes on them, and no job for them in its graph. The store has them still, so that they
    can be removed: if they are right they are restored again.

    Args:
        situation: the analysis as it is.
        store: where results are known.
        hashed: digest of what lies at a path; None if nothing does.
        analysis: the folder.
        now: the workflow's `fingerprint`; what was right for it already is left.
    """
    made = {path for asked in situation.jobs for path in asked.record.outputs}
    right = ledger.seen(analysis)
    found = {}
    for path in dict.fromkeys(path for asked in situation.jobs for path in asked.record.inputs):
        output = next((name for name in and_folders(path) if name in situation.made), None)
        if output is None or output in found or not made.isdisjoint(and_folders(path)):
            continue
        known = situation.made[output]
        if (
            right.get(output) != now
            and not notes.made(analysis, output)
            and os.access(analysis / output, os.W_OK)
            and hashed(output) == known.digest
        ):
            found[output] = _is_kept(store, known.key, output)
    return tuple(output for output, kept in found.items() if kept)


def fingerprint(
    graph: Graph,
    hashed: Callable[[str], Digest | None],
    lies: Callable[[str], Path | None] | None = None,
) -> Digest:
    """Return a digest of all that parameters of jobs come from: configuration and what was read for it.

    lies: as `recording.build.Request` has it; nothing else of the machine is read.
    """
    # Files that hold values of one run alone have another name each time; the configuration has the values.
    texts = sorted(
        path
        for path in {graph.snakefile, *graph.included, *graph.read}
        if "/.snakemake/" not in f"/{path}" and (lies is None or lies(path) is not None)
    )
    return digest.of_json([graph.configuration, graph.around, {path: hashed(path) for path in texts}])


def _is_kept(store: Store, key: Digest, output: str) -> bool:
    try:
        entry = entries.read(store, key)
    except InputError:
        return False
    held = entry.output(output) if entry is not None else None
    return held is not None and entries.kept(store.layout, held)


@dataclass
class _Look:
    situation: Situation
    store: Store
    hashed: Callable[[str], Digest | None]
    known: dict[str, str] = field(default_factory=dict)

    def why(self, output: str) -> str:
        """Return why an output is not what would be made now; empty if it is, or nobody knows."""
        if output not in self.known:
            self.known[output] = ""  # whatever leads back here adds nothing
            self.known[output] = next(self._reasons(output), "")
        return self.known[output]

    def _reasons(self, output: str) -> Iterator[str]:
        made = self.situation.made[output]
        there = self.hashed(output)
        entry = self._entry(made.key)
        if entry is None or (there is not None and there != made.digest):
            return
        code: Any = entry.ingredients["code"]
        for path, was in code["sources"].items():
            if not path.startswith("{") and self.hashed(path) != was:
                yield f"code {path} changed"
        inputs: Any = entry.ingredients["inputs"]
        for path, was in inputs:
            if path.startswith("{"):
                continue
            maker = next((name for name in and_folders(path) if name in self.situation.made), None)
            if maker is not None and maker != output:
                above = self.why(maker)
                if above:
                    yield above
            now = self.hashed(path)
            if now is not None and str(was).startswith("sha256:") and now != was:
                yield f"input {path} changed"

    def _entry(self, key: Digest) -> Entry | None:
        try:
            return entries.read(self.store, key)
        except InputError:
            return None


def hasher(
    analysis: Path, files: Callable[[list[Path]], Mapping[Path, Digest]]
) -> Callable[[str], Digest | None]:
    """Return what gives the digest of a file or folder of an analysis, each read once."""
    known: dict[str, Digest | None] = {}

    def hashed(path: str) -> Digest | None:
        if path not in known:
            place = analysis / path
            known[path] = files([place])[place] if place.exists() else None
        return known[path]

    return hashed
