"""How lists among a stage's parameters are divided into one set of parameters for each job."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

from relance.languages.model import Json, PlanError, Scatter


def scattered(values: Mapping[str, Json], schedule: Scatter) -> list[dict[str, Json]]:
    """Return the parameter sets of a stage that scatters.

    Raises:
        PlanError: a parameter to scatter is no list, or lists to go through together aren't of one length.
    """
    common = {name: value for name, value in values.items() if name not in schedule.parameters}
    lists = []
    for name in schedule.parameters:
        if not isinstance(values.get(name), list):
            raise PlanError(f"the parameter '{name}' is scattered and isn't a list")
        lists.append(grouped(values[name], schedule))
    if schedule.cartesian:
        return [
            {**common, **dict(zip(schedule.parameters, chosen, strict=True))}
            for chosen in itertools.product(*lists)
        ]
    lengths = {name: len(one) for name, one in zip(schedule.parameters, lists, strict=True)}
    if len(set(lengths.values())) > 1:
        told = ", ".join(f"'{name}' {length}" for name, length in lengths.items())
        raise PlanError(f"lists scattered together have different lengths: {told}")
    return [
        {**common, **dict(zip(schedule.parameters, chosen, strict=True))}
        for chosen in zip(*lists, strict=True)
    ]


def grouped(values: list[Json], schedule: Scatter) -> list[Json]:
    """Return a list in batches of a size, or divided into a number of parts, the later ones longer."""
    if schedule.batch:
        return [values[at : at + schedule.batch] for at in range(0, len(values), schedule.batch)]
    if schedule.parts:
        parts = min(schedule.parts, len(values))
        ends = list(itertools.accumulate((len(values) + index) // parts for index in range(parts)))
        return [values[start:end] for start, end in zip([0, *ends[:-1]], ends, strict=True)] if parts else []
    return values
