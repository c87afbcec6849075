"""What a specification says of a run is held against the run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from relance.errors import InputError
from relance.model import UNKNOWN, RunRecord
from relance.results import reading
from relance.specification.model import Parameter, Specification


def refuse_untrue(analysis: Path, record: RunRecord, specification: Specification) -> None:
    """Refuse a specification that the run shows to be wrong: nobody could use the capsule as it says.

    Raises:
        InputError: it names another Snakefile than the one that ran; or a result isn't there, or isn't what
            it says. Blinded results are not looked at.
    """
    ran = record.run.snakefile
    if ran != UNKNOWN and ran.path != specification.workflow.file:
        raise InputError(
            f"the workflow that the specification names, {specification.workflow.file}",
            expected=f"'{ran.path}', which ran",
            found=f"'{specification.workflow.file}'",
            next_step="correct 'workflow.file' of the specification, or run that one",
        )
    configuration = record.run.configuration
    if configuration != UNKNOWN:
        reading.read(specification, analysis, configuration)


def unheard(parameters: Mapping[str, Parameter], configuration: Mapping[str, object]) -> Iterator[str]:
    """Yield the parameters whose key a configuration lacks, in words: perhaps nobody looks at it."""
    for name, parameter in parameters.items():
        value: object = configuration
        for part in parameter.key.split("."):
            value = value.get(part) if isinstance(value, Mapping) else None
        if value is None and configuration:
            yield (
                f"parameter '{name}' is written to '{parameter.key}', which the run's configuration doesn't "
                "have: is the key right?"
            )
