"""Values and files given for a run, checked against the interface before anything runs."""

from __future__ import annotations

import difflib
import math
import operator
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from relance import formats, units
from relance.errors import InputError
from relance.specification.model import Form, Input, Interface, Parameter, ParameterType, Value

_WHOLE = re.compile(r"[-+]?[0-9]{1,18}")
_MOST = 10**18
_MOST_SHOWN = 80


def overrides(
    interface: Interface, parameters: Mapping[str, object], inputs: Mapping[str, Path] | None = None
) -> dict[str, Any]:
    """Return what the configuration must say for given parameters and input files, nested as in it.

    Args:
        interface: what the analysis allows.
        parameters: values by the interface's names: Python values, or text as typed (`2.5 TeV`, `true`).
        inputs: files by the interface's names; the form of each is told from its content.

    Raises:
        InputError: a name that isn't known; a value of another type, unit or out of its range; a file that
            isn't what an input takes; a parameter together with a file that makes it meaningless. All that
            is wrong is told at once.
    """
    wrong: list[InputError] = []
    found: dict[str, Any] = {}
    for name, given in parameters.items():
        try:
            parameter = interface.parameters[named(name, interface.parameters, "parameter")]
            _put(found, parameter.key, value(parameter, given, f"parameter '{name}'"))
        except InputError as error:
            wrong.append(error)
    for name, path in (inputs or {}).items():
        try:
            form = form_of(interface.inputs[named(name, interface.inputs, "input")], path, name)
            _put(found, form.key, str(path))
            wrong.extend(_meaningless(form, name, parameters))
        except InputError as error:
            wrong.append(error)
    if wrong:
        raise together(wrong)
    return found


def value(parameter: Parameter, given: object, subject: str) -> Value:
    """Return a parameter's value in its own type and unit.

    Raises:
        InputError: it is of another type or unit, or out of range; `subject` begins the message.
    """
    match parameter.type:
        case ParameterType.NUMBER:
            number = quantity(given, parameter.unit or "1", subject)
            _in_range(parameter, number, subject)
            return number
        case ParameterType.INTEGER:
            whole = _integer(given, parameter.unit or "1", subject)
            _in_range(parameter, whole, subject)
            return whole
        case ParameterType.BOOLEAN:
            if not isinstance(given, (bool, str)) or given not in {True, False, "true", "false"}:
                raise _refusal(subject, "true or false", _shown(given), "write one of them")
            return given in {True, "true"}
        case ParameterType.TEXT:
            if not isinstance(given, str):
                raise _refusal(subject, "text", _shown(given), "write it in quotes")
            _chosen(parameter, given, subject)
            return given


def quantity(given: object, unit: str, subject: str) -> float:
    """Return a number, or text that may have a unit, as a number in `unit`.

    Raises:
        InputError: it is neither, or its unit doesn't fit; `subject` begins the message.
    """
    if isinstance(given, str):
        return units.parse(given, unit, subject)
    expected = "a number" if unit == "1" else f"a number in {unit}"
    if isinstance(given, bool) or not isinstance(given, (int, float)):
        raise _refusal(subject, expected, _shown(given), "write a number")
    try:
        number = float(given)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise _refusal(subject, "a finite number", _shown(given), "correct it")
    return number


def form_of(declared: Input, path: Path, name: str) -> Form:
    """Return which of an input's forms a file is given in, told from its content.

    Raises:
        InputError: the file can't be read, or is in none of them.
    """
    allowed = tuple(wanted for form in declared.forms for wanted in form.formats)
    detected = formats.check(path, allowed, f"input '{name}'")
    return next(form for form in declared.forms if detected.format in form.formats)


def named(name: str, known: Iterable[str], kind: str) -> str:
    """Return a name if it is known.

    Raises:
        InputError: it isn't; the nearest that is known is suggested.
    """
    names = list(known)
    if name in names:
        return name
    nearest = difflib.get_close_matches(name, names, n=1, cutoff=0.5) or [
        other for other in names if other.rpartition(".")[2] == name
    ]
    raise _refusal(
        f"{kind} '{name}'",
        f"one of {', '.join(names)}" if names else f"none, since the analysis declares no {kind}s",
        f"{name!r}",
        f"did you mean '{nearest[0]}'?" if nearest else f"see the interface for the {kind}s there are",
    )


def together(errors: Iterable[InputError]) -> InputError:
    """Return one error that tells all of at least one."""
    first, *others = errors
    first.also = tuple(others)
    return first


def _meaningless(form: Form, name: str, parameters: Mapping[str, object]) -> Iterable[InputError]:
    for parameter in form.replaces:
        if parameter in parameters:
            yield _refusal(
                f"parameter '{parameter}'",
                f"it left out, since the file given for input '{name}' decides it",
                "both",
                "give one of them",
            )


def _integer(given: object, unit: str, subject: str) -> int:
    if isinstance(given, str) and _WHOLE.fullmatch(given.strip()):
        return int(given)
    if isinstance(given, str) and unit != "1":
        given = _whole(units.parse(given, unit, subject))
    if isinstance(given, bool) or not isinstance(given, int) or abs(given) >= _MOST:
        of_unit, next_step = ("", "write one without unit or decimal point")
        if unit != "1":
            of_unit, next_step = (f" of {unit}", "write one without decimal point")
        raise _refusal(subject, f"a whole number{of_unit}", _shown(given), next_step)
    return given


def _whole(number: float) -> object:
    return int(number) if number.is_integer() else number


def _in_range(parameter: Parameter, number: float, subject: str) -> None:
    unit = "" if parameter.unit in {None, "1"} else f" {parameter.unit}"
    bounds = (
        ("at least", parameter.minimum, operator.ge),
        ("more than", parameter.above, operator.gt),
        ("at most", parameter.maximum, operator.le),
        ("less than", parameter.below, operator.lt),
    )
    for words, bound, holds in bounds:
        if bound is not None and not holds(number, bound):
            raise _refusal(subject, f"{words} {bound:g}{unit}", f"{number:g}{unit}", "choose another")
    _chosen(parameter, number, subject)


def _chosen(parameter: Parameter, given: Value, subject: str) -> None:
    if parameter.choices and given not in parameter.choices:
        nearest = difflib.get_close_matches(str(given), map(str, parameter.choices), n=1)
        choices = ", ".join(map(str, parameter.choices))
        next_step = f"did you mean '{nearest[0]}'?" if nearest else "choose one of them"
        raise _refusal(subject, f"one of {choices}", _shown(given), next_step)


def _put(nested: dict[str, Any], key: str, content: Value) -> None:
    *above, last = key.split(".")
    for part in above:
        nested = nested.setdefault(part, {})
    nested[last] = content


def _shown(given: object) -> str:
    try:
        text = repr(given)
    except ValueError:  # Python writes no integer of thousands of digits
        return "a number of thousands of digits"
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}…"


def _refusal(subject: str, expected: str, found: str, next_step: str) -> InputError:
    return InputError(subject, expected=expected, found=found, next_step=next_step)
