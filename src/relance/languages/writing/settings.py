"""Where in the jobs' commands values of the configuration stand, found by changing them.

A value is looked for nowhere: `1.0` stands in many places for many reasons. The jobs are planned with another
value, and what differs must be that value and nothing else; otherwise it can't be a setting.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from relance.drafting.graph import Job
from relance.errors import InputError
from relance.languages.writing.jobs import Setting, Slot, Slotted, Text, identifier
from relance.specification import values
from relance.specification.model import Parameter, ParameterType

_NUMBER = re.compile(r"(?<![\w.])([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)(?![\w.])")

_FACTOR = 1 + 2**-10


@dataclass(frozen=True)
class Place:
    """Characters of a command that say a value."""

    job: int
    """Position among the jobs."""
    begin: int
    end: int


@dataclass(frozen=True)
class Fixed:
    """A value that can't be a setting, and why."""

    reason: str


@dataclass(frozen=True)
class Found:
    """The places of a value, all of which say it in the same words."""

    text: str
    places: tuple[Place, ...]


@dataclass(frozen=True)
class Sought:
    """What became of an analysis's parameters."""

    slotted: Slotted
    names: Mapping[str, str]
    """Of each setting, the parameter that it is."""
    fixed: Mapping[str, str]
    """Why other parameters are none, by their names."""


def sought(
    parameters: Mapping[str, Parameter],
    configuration: Mapping[str, Any],
    jobs: Sequence[Job],
    planned: Callable[[Mapping[str, Any]], Sequence[Job]],
) -> Sought:
    """Return which parameters can be settings, and where in the commands they stand.

    Args:
        parameters: of the specification's interface, by name.
        configuration: what the jobs were planned with.
        jobs: the jobs.
        planned: gives the jobs that another configuration leads to.
    """
    settings: dict[str, Setting] = {}
    fixed: dict[str, str] = {}
    slots: dict[int, list[tuple[Place, str]]] = {}
    names: dict[str, str] = {}
    with ThreadPoolExecutor() as pool:  # each plan is a process of its own
        results = list(pool.map(lambda one: _one(one, configuration, jobs, planned), parameters.values()))
    for (name, parameter), result in zip(parameters.items(), results, strict=True):
        if isinstance(result, Found) and _overlap(result.places, slots):
            fixed[name] = "a command says it together with another parameter"
            continue
        if isinstance(result, Fixed):
            fixed[name] = result.reason
            continue
        own = identifier(name, settings)
        unit = parameter.unit if parameter.unit != "1" else None
        settings[own] = Setting(own, result.text, parameter.title, unit)
        names[own] = name
        for place in result.places:
            slots.setdefault(place.job, []).append((place, own))
    texts = {position: with_slots(jobs[position].resolved or "", own) for position, own in slots.items()}
    return Sought(Slotted(tuple(settings.values()), texts), names, fixed)


def _one(
    parameter: Parameter,
    configuration: Mapping[str, Any],
    jobs: Sequence[Job],
    planned: Callable[[Mapping[str, Any]], Sequence[Job]],
) -> Found | Fixed:
    if parameter.type not in {ParameterType.NUMBER, ParameterType.INTEGER}:
        return Fixed("it isn't a number")
    changed = copy.deepcopy(dict(configuration))
    level: Any = changed
    *above, last = parameter.key.split(".")
    for key in above:
        level = level.get(key) if isinstance(level, dict) else None
    written = level.get(last) if isinstance(level, dict) else None
    if written is None or isinstance(written, bool):
        return Fixed("the configuration doesn't say it")
    try:
        before = values.value(parameter, written, last)
        after = _other(parameter, float(before))
        if after is None:
            return Fixed("it can have no other value")
        level[last] = f"{after} {parameter.unit}" if isinstance(written, str) and parameter.unit else after
        return found(jobs, planned(changed), float(before), float(after))
    except InputError as error:
        return Fixed(f"another value of it is refused: {error.found}")


def _other(parameter: Parameter, before: float) -> float | int | None:
    """Return another value that is allowed; one that floats have exactly, and hardly anything else is."""
    if parameter.type is ParameterType.INTEGER:
        candidates: tuple[float, ...] = tuple(int(before) + step for step in (7, -7, 1, -1))
    else:
        candidates = (before * _FACTOR, before / _FACTOR, before + _FACTOR - 1)
    for candidate in candidates:
        try:
            values.value(parameter, candidate, "a value")
        except InputError:
            continue
        if candidate != before:
            return candidate
    return None


def _overlap(places: Sequence[Place], slots: Mapping[int, Sequence[tuple[Place, str]]]) -> bool:
    return any(
        place.begin < other.end and other.begin < place.end
        for place in places
        for other, _ in slots.get(place.job, ())
    )


def found(base: Sequence[Job], varied: Sequence[Job], before: float, after: float) -> Found | Fixed:
    """Return where a value stands.

    Args:
        base: the jobs as they are, in any order.
        varied: the jobs with another value, in the same order if only commands changed.
        before: the value, as the configuration has it.
        after: the other value.
    """
    if [_shape(job) for job in base] != [_shape(job) for job in varied]:
        return Fixed("it decides which jobs and files there are")
    places: list[Place] = []
    texts: set[str] = set()
    for position, (one, other) in enumerate(zip(base, varied, strict=True)):
        here, there = (list(_pieces(job.resolved or "")) for job in (one, other))
        if [text for text, number in here if not number] != [text for text, number in there if not number]:
            return Fixed(f"the command of '{one.rule}' follows from it in more than a number")
        begin = 0
        for (text, number), (changed, _) in zip(here, there, strict=True):
            if number and text != changed:
                if float(text) != before or float(changed) != after:
                    return Fixed(f"the command of '{one.rule}' has another number that follows from it")
                places.append(Place(position, begin, begin + len(text)))
                texts.add(text)
            begin += len(text)
    if not places:
        return Fixed("no command says it")
    if len(texts) > 1:
        return Fixed(f"commands say it as {' and as '.join(sorted(texts))}")
    return Found(texts.pop(), tuple(places))


def with_slots(command: str, slots: Sequence[tuple[Place, str]]) -> Text:
    """Return a command with slots in it; places don't overlap."""
    pieces: list[str | Slot] = []
    end = 0
    for place, name in sorted(slots, key=lambda one: one[0].begin):
        pieces += [command[end : place.begin], Slot(name)]
        end = place.end
    pieces.append(command[end:])
    return tuple(piece for piece in pieces if piece != "")


def _pieces(command: str) -> Sequence[tuple[str, bool]]:
    """Give a command's pieces, and whether each is a number."""
    return [(text, index % 2 == 1) for index, text in enumerate(_NUMBER.split(command))]


def _shape(job: Job) -> tuple[object, ...]:
    return (job.rule, job.inputs, job.outputs, job.logs, job.image)
