"""Files that look like Snakemake's, but are not."""

from __future__ import annotations

from relance.engines.snakemake import RunFolder
from relance.errors import AnalysisError

MALFORMED = (ValueError, LookupError, TypeError, AttributeError, RecursionError)
"""What files that look like Snakemake's, but are not, can do to their reader."""


def not_snakemakes(folder: RunFolder, error: Exception) -> AnalysisError:
    """Return the error that says that a run's events or graph are forged."""
    return AnalysisError(
        "nothing can be told of the run",
        expected="events as Snakemake writes them",
        found=f"others ({type(error).__name__}), as only a workflow does that hides something",
        next_step=f"read {folder.events} and {folder.console}; don't trust the workflow",
    )
