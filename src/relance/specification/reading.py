"""A specification read from its file: the schema first, then what only a look at several parts can tell."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from relance import document as documents
from relance import schema, units
from relance.document import Document
from relance.errors import InputError
from relance.specification import contradictions, orcid, values
from relance.specification.model import (
    AllowedSecret,
    Audience,
    Author,
    Case,
    Check,
    Entry,
    ExternalData,
    Form,
    Identifiers,
    Identity,
    Input,
    Interface,
    Kept,
    Level,
    Outside,
    Parameter,
    ParameterType,
    Products,
    Reference,
    ResultField,
    ResultType,
    Specification,
    Tolerance,
    Value,
    Visibility,
)

_SAYS_SO = re.compile(r"""^["']?format["']?:\s*["']?analysis-specification\b""", re.MULTILINE)
_BOUNDS = ("minimum", "maximum", "above", "below")


def load(path: Path) -> Specification:
    """Read an analysis specification; one that contradicts itself is refused.

    Raises:
        InputError: every place that is wrong, each with file and line, what was expected, what was found
            and what to do.
    """
    document = documents.read(path)
    specification, wrong = _read(document)
    # Not of a captured one, which nobody can mend any more.
    wrong = [*wrong, *orcid.mistyped(specification.identity.authors, document)]
    if wrong:
        raise values.together(wrong)
    return specification


def parse(data: bytes, path: Path) -> Specification:
    """Read a specification that was captured; `path` is for messages.

    Raises:
        InputError: as `load`, but for the check characters of ORCID iDs.
    """
    specification, wrong = _read(documents.parse(data, path))
    if wrong:
        raise values.together(wrong)
    return specification


def _read(document: Document) -> tuple[Specification, list[InputError]]:
    schema.check(document, schema.bundled("analysis"))
    reader = _Reader(document)
    specification = reader.specification()
    return specification, [*reader.wrong, *contradictions.found(specification, document)]


def is_specification(path: Path) -> bool:
    """Return whether a file says that it is an analysis specification; it may still be refused."""
    try:
        return _SAYS_SO.search(path.read_text(encoding="utf-8")) is not None
    except (OSError, UnicodeDecodeError):
        return False


class _Reader:
    """Turns a document that follows the schema into dataclasses; notes what can't be converted."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self.wrong: list[InputError] = []

    def specification(self) -> Specification:
        top = self._document.value
        results = {
            name: ResultField(
                **{
                    **result,
                    "type": ResultType(result["type"]),
                    "visibility": Visibility(result["visibility"]) if "visibility" in result else None,
                }
            )
            for name, result in top["interface"]["results"].items()
        }
        parameters = {
            name: self._parameter(name, given)
            for name, given in top["interface"].get("parameters", {}).items()
        }
        interface = Interface(
            results=results,
            inputs={name: _input(given) for name, given in top["interface"].get("inputs", {}).items()},
            parameters=parameters,
        )
        return Specification(
            identity=_identity(top["identity"]),
            workflow=Entry(**{**top["workflow"], "sources": tuple(top["workflow"].get("sources", ()))}),
            interface=interface,
            visibility=Audience(**{key: Visibility(given) for key, given in top["visibility"].items()}),
            validation={
                name: self._case(name, case, interface) for name, case in top.get("validation", {}).items()
            },
            products=_products(top.get("products", {})),
            outside=tuple(
                Outside(**{**given, "rules": tuple(given.get("rules", ()))})
                for given in top.get("outside", ())
            ),
            allowed_secrets=tuple(AllowedSecret(**given) for given in top.get("allowed_secrets", ())),
            check=Check(dict(top.get("check", {}).get("ignore", {}))),
        )

    def _parameter(self, name: str, given: Mapping[str, Any]) -> Parameter:
        keys = ("interface", "parameters", name)
        unit = given.get("unit", "1")
        if not units.known(unit):
            self._note(
                (*keys, "unit"),
                f"unit of parameter '{name}'",
                ", ".join(units.names()),
                repr(unit),
                "use one",
            )
            unit = "1"
            given = {key: part for key, part in given.items() if key not in {*_BOUNDS, "choices", "default"}}
        bare: dict[str, Any] = {**given, "type": ParameterType(given["type"]), "choices": ()}
        default = bare.pop("default", None)
        for bound in _BOUNDS:
            if bound in given:
                bare[bound] = self._quantity(given[bound], unit, (*keys, bound))
        declared = Parameter(**bare)
        choices = [self._value(declared, choice, (*keys, "choices")) for choice in given.get("choices", ())]
        declared = Parameter(**{**bare, "choices": tuple(choice for choice in choices if choice is not None)})
        if default is None:
            return declared
        return Parameter(
            **{
                **bare,
                "choices": declared.choices,
                "default": self._value(declared, default, (*keys, "default")),
            }
        )

    def _case(self, name: str, given: Mapping[str, Any], interface: Interface) -> Case:
        keys = ("validation", name)
        set_to: dict[str, Value] = {}
        for parameter, setting in given.get("parameters", {}).items():
            place = (*keys, "parameters", parameter)
            declared = interface.parameters.get(parameter)
            if declared is None:
                self._unknown(parameter, interface.parameters, "parameter", place)
            elif (value := self._value(declared, setting, place)) is not None:
                set_to[parameter] = value
        for input_name in given.get("inputs", {}):
            self._unknown(input_name, interface.inputs, "input", (*keys, "inputs", input_name))
        expected: dict[str, Reference] = {}
        for result, reference in given["expected"].items():
            place = (*keys, "expected", result)
            self._unknown(result, interface.results, "result", place)
            unit = interface.results[result].unit or "1" if result in interface.results else "1"
            if units.known(unit):
                expected[result] = self._reference(reference, unit, place)
        return Case(
            title=given["title"],
            expected=expected,
            configuration=given.get("configuration"),
            parameters=set_to,
            inputs=dict(given.get("inputs", {})),
        )

    def _reference(self, given: Mapping[str, Any], unit: str, keys: tuple[str, ...]) -> Reference:
        absolute = given.get("absolute")
        return Reference(
            value=self._quantity(given["value"], unit, (*keys, "value")) or 0.0,
            because=given["because"],
            relative=given.get("relative"),
            absolute=None if absolute is None else self._quantity(absolute, unit, (*keys, "absolute")),
        )

    def _quantity(self, given: object, unit: str, keys: tuple[str, ...]) -> float | None:
        try:
            return values.quantity(given, unit, self._subject(keys))
        except InputError as error:
            self.wrong.append(error)
            return None

    def _value(self, parameter: Parameter, given: object, keys: tuple[str, ...]) -> Value | None:
        try:
            return values.value(parameter, given, self._subject(keys))
        except InputError as error:
            self.wrong.append(error)
            return None

    def _unknown(self, name: str, known: Mapping[str, object], kind: str, keys: tuple[str, ...]) -> None:
        try:
            values.named(name, known, f"{self._document.where(*keys)}: {kind}")
        except InputError as error:
            self.wrong.append(error)

    def _subject(self, keys: tuple[str, ...]) -> str:
        return f"{self._document.where(*keys)}: {'.'.join(keys)}"

    def _note(self, keys: tuple[str, ...], what: str, expected: str, found: str, next_step: str) -> None:
        self.wrong.append(
            InputError(
                f"{self._document.where(*keys)}: {what}", expected=expected, found=found, next_step=next_step
            )
        )


def _identity(given: Mapping[str, Any]) -> Identity:
    return Identity(
        **{
            **given,
            "authors": tuple(Author(**author) for author in given["authors"]),
            "keywords": tuple(given.get("keywords", ())),
            "identifiers": Identifiers(**given.get("identifiers", {})),
        }
    )


def _input(given: Mapping[str, Any]) -> Input:
    return Input(
        title=given["title"],
        forms=tuple(
            Form(
                level=Level(form["level"]),
                formats=tuple(form["formats"]),
                key=form["key"],
                replaces=tuple(form.get("replaces", ())),
            )
            for form in given["forms"]
        ),
    )


def _products(given: Mapping[str, Any]) -> Products:
    return Products(
        keep=tuple(Kept(**kept) for kept in given.get("keep", ())),
        external=tuple(
            ExternalData(**{**data, "locations": tuple(data["locations"])})
            for data in given.get("external", ())
        ),
        tolerances=tuple(Tolerance(**tolerance) for tolerance in given.get("tolerances", ())),
    )
