"""What memory the jobs of a run took at most, as the engine noted it while they ran."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from relance.engines.standin import measured
from relance.model import UNKNOWN
from relance.recording.jobs import FoundJob


def read(file: Path) -> Mapping[str, int]:
    """Return bytes by what jobs are noted by (`engines/standin/measured.py`), the largest of several."""
    found: dict[str, int] = {}
    try:
        lines = file.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return found
    for line in lines:
        key, _, peak = line.partition("\t")
        if peak.isdecimal():
            found[key] = max(found.get(key, 0), int(peak))
    return found


def told(found: Sequence[FoundJob], noted: Mapping[str, int]) -> list[FoundJob]:
    """Return jobs with the memory that was noted, where no benchmark tells it and no two are noted alike."""
    keys = [
        measured.digest(job.record.command) if job.record.command and job.record.command != UNKNOWN else ""
        for job in found
    ]
    times = Counter(keys)
    return [
        replace(job, times=replace(job.times, peak_memory=noted[key], peak_memory_of="largest process"))
        if job.times.peak_memory == UNKNOWN and times[key] == 1 and key in noted
        else job
        for job, key in zip(found, keys, strict=True)
    ]
