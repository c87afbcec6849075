"""What a registry that wants a login says (RFC 9110), and what its token service is asked."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

_SCHEME = re.compile(r"[\s,]*([A-Za-z][A-Za-z0-9-]*)(?=[\s,]|$)(?!\s*=)")
_FIELD = re.compile(r'\s*,?\s*([A-Za-z_]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s",]+))')


@dataclass(frozen=True)
class Challenge:
    """One way to log in; `scheme` in lower case."""

    scheme: str
    fields: Mapping[str, str] = field(default_factory=dict, hash=False)

    def question(self, scopes: Collection[str]) -> tuple[tuple[str, str], ...]:
        """Return what the token service is asked: the rights that the registry names, and ours."""
        named = [self.fields["scope"]] if self.fields.get("scope") else []
        wanted = dict.fromkeys([*named, *scopes])
        service = [("service", self.fields["service"])] if "service" in self.fields else []
        return (*service, *(("scope", scope) for scope in wanted))


def parse(header: str) -> tuple[Challenge, ...]:
    """Return the ways that a header offers; what can't be read ends it."""
    found: list[Challenge] = []
    position = 0
    while scheme := _SCHEME.match(header, position):
        position = scheme.end()
        fields: dict[str, str] = {}
        while given := _FIELD.match(header, position):
            position = given.end()
            text = given[2] if given[2] is not None else given[3]
            fields.setdefault(given[1].lower(), re.sub(r"\\(.)", r"\1", text))
        found.append(Challenge(scheme[1].lower(), fields))
    return tuple(found)
