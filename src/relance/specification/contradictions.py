"""What contradicts itself in a specification, though every part of it follows the schema."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

from relance import formats, units
from relance.document import Document
from relance.errors import InputError
from relance.specification import values
from relance.specification.model import (
    Input,
    Interface,
    ParameterType,
    ResultField,
    ResultType,
    Specification,
    Visibility,
)

_Wrong = Callable[[tuple[str | int, ...], str, str, str, str], InputError]
_POINTER = re.compile(r"(?:/(?:[^~/]|~[01])*)+")
_PLACEHOLDER = re.compile(r"\{([A-Za-z0-9_.-]+)\}")


def found(specification: Specification, document: Document) -> Iterator[InputError]:
    """Tell what is wrong between parts that are each right by the schema, each with its line."""

    def wrong(
        keys: tuple[str | int, ...], what: str, expected: str, found: str, next_step: str
    ) -> InputError:
        place = document.where(*keys)
        return InputError(f"{place}: {what}", expected=expected, found=found, next_step=next_step)

    interface = specification.interface
    taken: dict[str, str] = {}
    for name, parameter in interface.parameters.items():
        keys = ("interface", "parameters", name)
        if parameter.key in taken:
            other = taken[parameter.key]
            yield wrong(
                (*keys, "key"),
                f"key of parameter '{name}'",
                "one of its own",
                f"that of '{other}', '{parameter.key}'",
                "name the key that it sets",
            )
        taken.setdefault(parameter.key, name)
        low = max(
            (bound for bound in (parameter.minimum, parameter.above) if bound is not None), default=None
        )
        high = min(
            (bound for bound in (parameter.maximum, parameter.below) if bound is not None), default=None
        )
        if low is not None and high is not None and low > high:
            yield wrong(
                keys,
                f"range of parameter '{name}'",
                "its lower end below its upper",
                f"{low:g} to {high:g}",
                "exchange them",
            )
        numeric = parameter.type in {ParameterType.NUMBER, ParameterType.INTEGER}
        if not numeric and (parameter.unit or low is not None or high is not None):
            yield wrong(
                keys,
                f"parameter '{name}'",
                f"no unit and no range, since it is {parameter.type}",
                "one",
                "remove it, or make its type 'number'",
            )
    for name, declared in interface.inputs.items():
        yield from _input_contradictions(name, declared, interface, taken, wrong)
    for name, result in interface.results.items():
        yield from _result_contradictions(name, result, wrong)
    yield from _overlapping_keys(taken, wrong)
    yield from _visibility_contradictions(specification, wrong)


def _input_contradictions(
    name: str, declared: Input, interface: Interface, taken: dict[str, str], wrong: _Wrong
) -> Iterator[InputError]:
    seen: set[str] = set()
    for index, form in enumerate(declared.forms):
        keys = ("interface", "inputs", name, "forms", index)
        for parameter in form.replaces:
            if parameter not in interface.parameters:
                try:
                    values.named(parameter, interface.parameters, f"input '{name}' replaces parameter")
                except InputError as error:
                    yield wrong(
                        (*keys, "replaces"), error.subject, error.expected, error.found, error.next_step
                    )
        if form.key in taken:
            yield wrong(
                (*keys, "key"),
                f"key of input '{name}'",
                "one of its own",
                f"that of '{taken[form.key]}', '{form.key}'",
                "name the key that it sets",
            )
        taken.setdefault(form.key, name)
        for wanted in form.formats:
            if wanted in seen:
                yield wrong(
                    (*keys, "formats"),
                    f"forms of input '{name}'",
                    "each format in one form, since a file's content tells its form",
                    f"'{wanted}' twice",
                    "remove one",
                )
            seen.add(wanted)
            if form.level not in formats.levels(wanted):
                levels = ", ".join(formats.levels(wanted))
                yield wrong(
                    (*keys, "formats"),
                    f"format '{wanted}' of input '{name}'",
                    f"it at level {levels}",
                    f"level '{form.level}'",
                    "correct one of them",
                )


def _result_contradictions(name: str, result: ResultField, wrong: _Wrong) -> Iterator[InputError]:
    keys = ("interface", "results", name)
    if (result.type is ResultType.FILE) != (result.pointer is None):
        is_file = result.type is ResultType.FILE
        yield wrong(
            keys,
            f"result '{name}'",
            "no pointer, since it is a file" if is_file else "a pointer to it",
            "one" if is_file else "none",
            "remove it" if is_file else "add 'pointer: /…', where it stands in the file",
        )
    elif result.pointer is not None and not _POINTER.fullmatch(result.pointer):
        yield wrong(
            (*keys, "pointer"),
            f"pointer of result '{name}'",
            "'/' before each step, '~0' for '~' and '~1' for '/' (RFC 6901)",
            repr(result.pointer),
            "write it like /limits/cross_section/observed",
        )
    if result.type is ResultType.FILE and result.unit:
        yield wrong(
            (*keys, "unit"), f"result '{name}'", "no unit, since it is a file", result.unit, "remove it"
        )
    if result.type is not ResultType.FILE and (result.unit is None or not units.known(result.unit)):
        yield wrong(
            (*keys, "unit"),
            f"unit of result '{name}'",
            f"one of {', '.join(units.names())}",
            repr(result.unit) if result.unit else "none",
            "write '1' if it has none",
        )
    rest = _PLACEHOLDER.sub("", result.file)
    if "{" in rest or "}" in rest or "*" in rest:
        yield wrong(
            (*keys, "file"),
            f"file of result '{name}'",
            "one file; only a key of the configuration in braces, as {output}",
            repr(result.file),
            "write its path",
        )


def _visibility_contradictions(specification: Specification, wrong: _Wrong) -> Iterator[InputError]:
    audience = specification.visibility
    blinded = [
        name
        for name in specification.interface.results
        if specification.visibility_of(name) is Visibility.BLINDED
    ]
    if blinded and audience.products is Visibility.PUBLIC:
        yield wrong(
            ("visibility", "products"),
            "visibility of the products",
            f"'blinded', since result '{blinded[0]}' is blinded and can be read from them",
            "'public'",
            "write 'products: blinded'",
        )
    for case_name, case in specification.validation.items():
        for name in case.expected:
            if name in blinded:
                yield wrong(
                    ("validation", case_name, "expected", name),
                    f"reference of result '{name}'",
                    f"none, since it is blinded and the specification is {audience.specification}",
                    "its value",
                    "remove it until the analysis is unblinded",
                )
            declared = specification.interface.results.get(name)
            if declared is not None and declared.type is not ResultType.NUMBER:
                yield wrong(
                    ("validation", case_name, "expected", name),
                    f"reference of result '{name}'",
                    "a result of type number",
                    declared.type,
                    "declare the number in it as a result of its own",
                )


def _overlapping_keys(taken: Mapping[str, str], wrong: _Wrong) -> Iterator[InputError]:
    for key, name in taken.items():
        inside = next((other for other in taken if other.startswith(f"{key}.")), None)
        if inside is not None:
            yield wrong(
                ("interface",),
                f"key '{key}' of '{name}'",
                "a single value of the configuration",
                f"the mapping that holds '{inside}'",
                "name the key that it sets",
            )
