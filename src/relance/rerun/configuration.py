"""The configuration of a captured run, given to Snakemake again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from relance.model import UNKNOWN, RunFacts

_FILES = ("--configfile", "--configfiles")
_VALUES = ("--config", "-C")
_OWN = "{run}"  # stands in records for the folder of the run itself


@dataclass(frozen=True)
class Chosen:
    """What Snakemake is given."""

    file: str | None
    """A configuration file of the analysis, relative to it."""
    values: Mapping[str, object]
    """What replaces values of it."""


def of_run(run: RunFacts, values: Mapping[str, object]) -> Chosen:
    """Return the configuration of a run with some values replaced.

    A file that the run was given and that the analysis holds is given again. Where values came with the
    command, the whole configuration is given as values, too: it has them, but in no order, and a workflow
    may go through its keys in that of the file.
    """
    arguments = run.command if run.command != UNKNOWN else ()
    known = [file.path for file in run.configuration_files] if run.configuration_files != UNKNOWN else []
    named = [_of_analysis(argument, known) for argument in _given(arguments, _FILES)]
    whole = any(_given(arguments, _VALUES)) or None in named or len(named) > 1
    if whole and run.configuration != UNKNOWN:
        return Chosen(next(filter(None, named), None), merged(run.configuration, values))
    return Chosen(named[0] if named else None, dict(values))


def _of_analysis(argument: str, known: Sequence[str]) -> str | None:
    """Return the file of the analysis that an argument names; None if it is another."""
    fitting = [path for path in known if argument == path or argument.endswith(f"/{path}")]
    fitting = [path for path in fitting if _OWN not in path and not path.startswith("/")]
    return max(fitting, key=len, default=None) if _OWN not in argument else None


def _given(arguments: Sequence[str], options: Sequence[str]) -> Iterator[str]:
    """Yield the values that options were given, of which each may have several."""
    inside = False
    for argument in arguments:
        name, equals, value = argument.partition("=")
        if argument.startswith("-"):
            inside = name in options
            if inside and equals:
                yield value
        elif inside:
            yield argument


def merged(old: Mapping[str, object], new: Mapping[str, object]) -> dict[str, object]:
    """Return a mapping with values replaced, as Snakemake does it: mappings are merged, all else is taken."""
    both = dict(old)
    for key, value in new.items():
        before = both.get(key)
        nested = isinstance(before, Mapping) and isinstance(value, Mapping)
        both[key] = merged(before, value) if nested else value  # type: ignore[arg-type]
    return both
