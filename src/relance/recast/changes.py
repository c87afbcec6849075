"""What a recast changes: as it was given, and as it is after all of it was checked."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from relance import digest, formats, schema
from relance.capsule.model import CapsuleFile
from relance.errors import InputError
from relance.model import Digest
from relance.specification import values
from relance.specification.model import Form, Interface, Level, Parameter, Specification, Value

INPUTS = "recast/inputs"
"""Folder of the files that a recast was given, in the analysis's folder."""

_SUFFIXES = {
    "hepmc3": ".hepmc",
    "hepmc2": ".hepmc",
    "lhe": ".lhe",
    "root": ".root",
    "pyhf-workspace": ".json",
    "pyhf-patch": ".json",
    "pyhf-patchset": ".json",
    "card": ".card",
}
_PACKED = {"gzip": ".gz", "zstd": ".zst", "none": ""}


@dataclass(frozen=True)
class Changes:
    """Parameters and input files by the names of the interface, as given, over those of a named case."""

    parameters: Mapping[str, object] = field(default_factory=dict)
    inputs: Mapping[str, Path] = field(default_factory=dict)
    case: str | None = None

    def over(self, other: Changes) -> Changes:
        """Return both together; where they differ this one counts."""
        return Changes(
            {**other.parameters, **self.parameters}, {**other.inputs, **self.inputs}, self.case or other.case
        )


@dataclass(frozen=True)
class GivenInput:
    """A file given for an input, found to be in a form that the interface takes."""

    name: str
    file: Path
    """Where it lies now."""
    level: Level
    format: str
    key: str
    """Key of the configuration that says where it is."""
    place: str
    """Where it will lie, relative to the analysis. It depends on the kind of file alone, so that the same
    content makes the same commands, whatever its name."""
    digest: Digest
    size: int
    """Bytes."""


@dataclass(frozen=True)
class Checked:
    """Changes that the interface allows."""

    parameters: Mapping[str, Value]
    """In their own types and units."""
    inputs: Mapping[str, GivenInput]
    settings: Mapping[str, object]
    """What the configuration says in place of what it said, nested as in it."""
    case: str | None = None
    configuration: str | None = None
    """The configuration file of the case, relative to the analysis; None: that of the captured run."""

    @property
    def digest(self) -> Digest:
        """Digest of all that is changed: the same for the same changes."""
        return digest.of_json(
            {
                "settings": self.settings,
                "inputs": {name: given.digest for name, given in self.inputs.items()},
                "configuration": self.configuration,
            }
        )


def load(path: Path) -> Changes:
    """Read changes from a YAML file (`specs/schemas/recast.schema.json`).

    Raises:
        InputError: it can't be read or breaks the schema; the line is told.
    """
    content = schema.load(path, schema.bundled("recast")).value
    return Changes(
        flat(content.get("parameters", {})),
        {name: path.parent / given for name, given in content.get("inputs", {}).items()},
        content.get("case"),
    )


def flat(nested: Mapping[str, Any], above: str = "") -> dict[str, object]:
    """Return values by dotted names: `{"signal": {"mass": 1}}` is `{"signal.mass": 1}`."""
    found: dict[str, object] = {}
    for name, value in nested.items():
        if isinstance(value, Mapping):
            found.update(flat(value, f"{above}{name}."))
        else:
            found[f"{above}{name}"] = value
    return found


def checked(
    specification: Specification,
    changes: Changes,
    configuration: Mapping[str, object],
    capsule_files: CaseFiles,
) -> Checked:
    """Return the changes if the interface allows them; `configuration` is that of the captured run.

    Raises:
        InputError: nothing is changed; a name isn't known; a value is of another type or unit, or out of
            range; a file isn't what an input takes. All that is wrong is told at once.
    """
    interface = specification.interface
    asked = _with_case(specification, changes, capsule_files)
    if not (asked.parameters or asked.inputs or changes.case):
        raise InputError(
            "this recast changes nothing",
            expected="a parameter, an input file or a case",
            found="none",
            next_step="give --set NAME=VALUE, --input NAME=FILE or --case NAME; to run the same again type "
            "'relance verify --rerun'",
        )
    settings = copy.deepcopy(values.overrides(interface, asked.parameters, asked.inputs))
    _check_effect(interface, asked, configuration)
    inputs = {name: _given(interface, name, path, capsule_files) for name, path in asked.inputs.items()}
    for given in inputs.values():
        _put(settings, given.key, given.place)
    parameters = {
        name: values.value(interface.parameters[name], given, f"parameter '{name}'")
        for name, given in asked.parameters.items()
    }
    case = specification.validation[changes.case] if changes.case else None
    configured = (case.configuration or specification.workflow.configuration) if case else None
    return Checked(parameters, inputs, settings, changes.case, configured)


class CaseFiles:
    """Files of the analysis that a case may name, where they can be looked at now."""

    def __init__(self, files: Iterable[CapsuleFile], blobs: Path) -> None:
        self._by_path = {file.path: file for file in files}
        self._blobs = blobs
        self.paths: dict[Path, str] = {}
        """Which path of the analysis a file stands for."""

    def find(self, path: str) -> Path:
        """Return where the content of a file of the capsule can be read.

        Raises:
            InputError: the capsule doesn't hold it as one blob.
        """
        file = self._by_path.get(path)
        if file is None or file.stored is None or file.stored.parts:
            raise InputError(
                f"input {path} of the case",
                expected="a file in the capsule",
                found="none" if file is None or file.stored is None else "one kept in parts",
                next_step="give the file with --input",
            )
        place = self._blobs / file.digest.removeprefix("sha256:")
        self.paths[place] = path
        return place


def _with_case(specification: Specification, changes: Changes, files: CaseFiles) -> Changes:
    if changes.case is None:
        return changes
    case = specification.validation[values.named(changes.case, specification.validation, "case")]
    inputs = {name: files.find(path) for name, path in case.inputs.items() if name not in changes.inputs}
    return changes.over(Changes(case.parameters, inputs))


def _given(interface: Interface, name: str, path: Path, files: CaseFiles) -> GivenInput:
    form: Form = values.form_of(interface.inputs[name], path, name)
    detected = formats.check(path, form.formats, f"input '{name}'")
    suffix = _SUFFIXES[detected.format] + _PACKED[detected.compression]
    place = files.paths.get(path, f"{INPUTS}/{name}{suffix}")
    found = digest.of_file(path)
    return GivenInput(name, path, form.level, detected.format, form.key, place, found, path.stat().st_size)


def _check_effect(interface: Interface, asked: Changes, configuration: Mapping[str, object]) -> None:
    """Refuse parameters that a file, given when the analysis was captured, makes meaningless."""
    wrong = []
    for name, declared in interface.inputs.items():
        for form in declared.forms if name not in asked.inputs else ():
            given = _looked_up(configuration, form.key)
            wrong += [
                InputError(
                    f"parameter '{parameter}'",
                    expected="one that has an effect",
                    found=f"the file {given} for input '{name}' in the capsule, which decides it",
                    next_step=f"give another file with --input {name}=FILE",
                )
                for parameter in form.replaces
                if given and parameter in asked.parameters
            ]
    if wrong:
        raise values.together(wrong)


def _looked_up(nested: object, key: str) -> object:
    for part in key.split("."):
        nested = nested.get(part) if isinstance(nested, Mapping) else None
    return nested


def captured_value(configuration: Mapping[str, object], parameter: Parameter) -> Value | None:
    """Return a parameter's value in a configuration, in its own type and unit; None if there is none."""
    found = _looked_up(configuration, parameter.key)
    if found is None:
        return parameter.default
    try:
        return values.value(parameter, found, parameter.key)
    except InputError:
        return None  # written in a way that only the analysis knows


def _put(nested: dict[str, Any], key: str, content: str) -> None:
    *above, last = key.split(".")
    for part in above:
        nested = nested.setdefault(part, {})
    nested[last] = content
