"""A specification as YAML, and as the plain values that it says."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import yaml

from relance.specification.model import Specification


def plain(specification: Specification) -> dict[str, Any]:
    """Return what the file says, as dicts, lists, text and numbers; what is empty is left out."""
    return {"format": "analysis-specification", "version": 1, **_fields(specification)}


def text(specification: Specification) -> str:
    """Return a specification as YAML that reads back to the same."""
    dumped = yaml.dump(
        plain(specification), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110, indent=2
    )
    return str(dumped)


class _Dumper(yaml.SafeDumper):
    """Writes no aliases, and every text that could be taken for something else in quotes."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - PyYAML's signature
        return True


def _quoted(dumper: yaml.SafeDumper, given: str) -> yaml.Node:
    return dumper.represent_scalar("tag:yaml.org,2002:str", given, style='"')


_Dumper.add_representer(str, _quoted)


def _fields(part: Any) -> dict[str, Any]:
    content = {field.name: _written(getattr(part, field.name)) for field in dataclasses.fields(part)}
    return {key: value for key, value in content.items() if value is not None and value not in ({}, [])}


def _written(value: Any) -> Any:
    if isinstance(value, StrEnum):
        return value.value
    if dataclasses.is_dataclass(value):
        return _fields(value)
    if isinstance(value, Mapping):
        return {key: _written(part) for key, part in value.items()}
    if isinstance(value, tuple):
        return [_written(part) for part in value]
    return value
