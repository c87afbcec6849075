"""The jobs of a workflow for Snakemake, as its graph or a recorded run tells them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Job:
    """One job; paths are relative to the analysis unless they are absolute."""

    rule: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    logs: tuple[str, ...] = ()
    command: str | None = None
    """With every placeholder filled in; None if it has no shell command."""
    image: str | None = None
    """None if its rule names none, or it isn't known."""


@dataclass(frozen=True)
class Jobs:
    """All jobs that are known."""

    jobs: tuple[Job, ...]
    read: tuple[str, ...] = ()
    """Files of the analysis that were opened while the Snakefile was parsed."""
    images: bool = True
    """Whether images are known."""

    @property
    def made(self) -> frozenset[str]:
        """Every file and folder that a job makes."""
        return frozenset(path for job in self.jobs for path in job.outputs)
