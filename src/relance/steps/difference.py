"""In what two jobs differ, in words: why one that is known can't stand for the other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from relance.steps.entries import Entry
from relance.steps.key import Ingredients

_LONGEST = 60
_MOST = 3


def nearest(found: Ingredients, known: Iterable[Entry]) -> str | None:
    """Say in what a job differs from the known one that is most like it; None if none is known."""
    differences = [list(between(entry.ingredients, found)) for entry in known]
    if not differences:
        return None
    least = min(differences, key=len)
    more = [f"{len(least) - _MOST} more differences"] if len(least) > _MOST else []
    return "; ".join([*least[:_MOST], *more]) or "nothing that can be told"


def between(old: Ingredients, new: Ingredients) -> Iterator[str]:
    """Yield the differences between what determines two jobs, what says most of them first."""
    if old.get("recipe") != new.get("recipe"):
        yield "this version of relance tells steps apart in another way"
    parameters = list(_parameters(old, new))
    yield from parameters
    yield from _sources(old, new)
    yield from _inputs(old, new)
    for name, said in (
        ("image", "image"),
        ("variables", "environment variables"),
        ("threads", "threads"),
        ("around", "what the Snakefile puts around commands"),
        ("settings", "values given for this run"),
        ("outputs", "outputs"),
        ("folders", "which outputs are folders"),
        ("logs", "log files"),
    ):
        if old.get(name) != new.get(name):
            yield f"{said} changed: {_short(old.get(name))} → {_short(new.get(name))}"
    yield from _called(old.get("called"), new.get("called"))
    if old.get("command") != new.get("command") and not parameters:
        yield f"command changed: {_apart(str(old.get('command')), str(new.get('command')))}"


def _parameters(old: Ingredients, new: Ingredients) -> Iterator[str]:
    before, after = _named(old.get("parameters")), _named(new.get("parameters"))
    for name in {**before, **after}:
        if before.get(name) != after.get(name):
            was = _plain(before[name]) if name in before else "none"
            now = _plain(after[name]) if name in after else "none"
            long = isinstance(was, str) and isinstance(now, str) and max(len(was), len(now)) > _LONGEST
            told = _apart(was, now) if long else f"{_short(was)} → {_short(now)}"
            yield f"parameter {name} changed: {told}"


def _named(parameters: Any) -> dict[str, object]:
    """Return parameters by name, or by position; those of one name together."""
    found: dict[str, object] = {}
    for position, item in enumerate(parameters if isinstance(parameters, list) else []):
        name, value = item
        key = str(position) if name is None else str(name)
        found[key] = [found[key], value] if key in found else value
    return found


def _sources(old: Ingredients, new: Ingredients) -> Iterator[str]:
    before, after = (
        _mapping(_mapping(old.get("code")).get("sources")),
        _mapping(new.get("code")).get("sources"),
    )
    after = _mapping(after)
    for path in sorted({*before, *after}):
        if path not in after:
            yield f"code {path} is used no more"
        elif path not in before:
            yield f"code {path} is new"
        elif before[path] != after[path]:
            yield f"code {path} changed"
    mine, other = _mapping(old.get("code")), _mapping(new.get("code"))
    if mine.get("digest") != other.get("digest") or mine.get("kind") != other.get("kind"):
        yield "its script changed"


def _inputs(old: Ingredients, new: Ingredients) -> Iterator[str]:
    before, after = _pairs(old.get("inputs")), _pairs(new.get("inputs"))
    for path, content in after.items():
        if path not in before:
            yield f"input {path} is new"
        elif before[path] != content:
            yield f"input {path} changed"
    yield from (f"input {path} is used no more" for path in before if path not in after)
    if set(before) == set(after) and list(before) != list(after):
        yield "inputs come in another order"


def _called(old: Any, new: Any) -> Iterator[str]:
    before, after = _mapping(old), _mapping(new)
    for name in sorted({*before, *after}):
        if before.get(name) == after.get(name):
            continue
        if name == "configuration":
            keys = sorted(set(_changed(_plain(before.get(name)), _plain(after.get(name)))))
            yield f"configuration changed: {_short(', '.join(keys))}"
        else:
            yield f"{name} changed: {_short(before.get(name))} → {_short(after.get(name))}"


def _changed(old: Any, new: Any, within: str = "") -> Iterator[str]:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in {**old, **new}:
            yield from _changed(old.get(key), new.get(key), f"{within}.{key}" if within else key)
    elif old != new:
        yield within or "all of it"


def _plain(value: Any) -> Any:
    """Return a value as it was before the key's own way of telling it."""
    if isinstance(value, dict) and set(value) == {"float"}:
        return float(value["float"])
    if isinstance(value, dict) and set(value) == {"mapping"}:
        return {key: _plain(item) for key, item in value["mapping"].items()}
    return [_plain(item) for item in value] if isinstance(value, list) else value


def _pairs(value: Any) -> dict[str, str]:
    return dict(value) if isinstance(value, list) else {}


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _apart(old: str, new: str) -> str:
    """Return the words in which two commands begin to differ, and the one before, which may name them."""
    before, after = old.split(), new.split()
    at = next((at for at, (a, b) in enumerate(zip(before, after, strict=False)) if a != b), None)
    at = min(len(before), len(after)) if at is None else at
    start = max(at - 1, 0)
    return f"{_short(' '.join(before[start : at + 2]))} → {_short(' '.join(after[start : at + 2]))}"


def _short(value: object) -> str:
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
