"""What a run ran in: this machine's processor, a runtime, locked environments."""

from __future__ import annotations

import platform
import re
from collections.abc import Sequence
from pathlib import Path

from relance import digest
from relance.model import UNKNOWN, Digest
from relance.recording.sources import Events


def processor() -> str:
    """Return the name of the processor."""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()
    except OSError:
        pass
    return platform.processor() or UNKNOWN


def runtime(events: Events | None) -> str:
    """Return what the arguments of a run say that its steps ran in."""
    if events is None or events.arguments is None:
        return UNKNOWN
    text = " ".join(events.arguments)
    standin = re.search(r"\.snakemake/relance/(podman|docker|plain)-images", text)
    if standin:
        return standin[1]
    contained = re.search(
        r"--(?:use-)?(?:singularity|apptainer)\b|--(?:sdm|software-dep\S*)[ =]\S*(?:apptainer|singularity)",
        text,
    )
    return "apptainer" if contained else "plain"


def environments(analysis: Path, runtime: str, arguments: Sequence[str]) -> dict[str, Digest]:
    """Return the analysis's locked environments by name, if its jobs ran in them as plain processes."""
    locked = runtime in {"plain", UNKNOWN} and any("/relance/plain-images" in text for text in arguments)
    if not locked:
        return {}
    return {path.stem: digest.of_file(path) for path in sorted(analysis.glob("envs/*.txt"))}
