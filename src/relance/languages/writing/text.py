"""YAML that people read: texts of several lines as blocks, no aliases, no folding."""

from __future__ import annotations

import re
from typing import Any

import yaml

_BREAKS = re.compile("[\x85\u2028\u2029\ufeff]")
"""PyYAML writes these as they are, and reads them as ends of lines or not at all."""


class _Dumper(yaml.SafeDumper):
    """Of plain values only."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - yaml's signature
        """Write a value out wherever it stands."""
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002 - yaml's signature
        """Indent the items of lists."""
        super().increase_indent(flow, False)


def _text(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text.rstrip("\n") else None
    if _BREAKS.search(text):
        style = '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)


def as_yaml(value: Any) -> str:
    """Return a value in YAML 1.1, its keys in the order that they have."""
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=10_000)
