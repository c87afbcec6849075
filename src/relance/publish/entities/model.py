"""What a crate describes, and how its entities name each other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any
from urllib.parse import quote

from relance.capsule.model import Capsule, CapsuleImage
from relance.model import UNKNOWN, Digest
from relance.results import reading as results
from relance.specification.model import Parameter

Entity = dict[str, Any]


@dataclass(frozen=True)
class Payload:
    """A file of the crate's folder."""

    path: str
    digest: Digest
    size: int
    """Bytes."""


@dataclass(frozen=True)
class Subject:
    """A capsule, and the folder of its crate."""

    capsule: Capsule
    digest: Digest
    """The capsule's own."""
    payload: Mapping[str, Payload]
    """Every file of the crate's folder by its path, besides the metadata."""

    @property
    def main(self) -> str:
        """The id of the workflow."""
        return identifier(self.capsule.specification.workflow.file)

    @cached_property
    def rules(self) -> tuple[str, ...]:
        """The rules that jobs are of."""
        return tuple(dict.fromkeys(job.record.rule for job in self.capsule.jobs))

    @cached_property
    def images(self) -> Mapping[str, CapsuleImage]:
        """The images by what rules write for them."""
        return {name: image for image in self.capsule.images for name in image.written}

    @cached_property
    def made(self) -> frozenset[str]:
        """The files that jobs made."""
        return frozenset(path for job in self.capsule.jobs for path in job.record.outputs)

    @property
    def _configuration(self) -> Mapping[str, Any]:
        run = self.capsule.run
        return {} if run.configuration == UNKNOWN else run.configuration

    def parameters(self) -> Iterator[tuple[str, Parameter, object]]:
        """Yield the interface's parameters that the run's configuration has a value for."""
        for name, parameter in self.capsule.specification.interface.parameters.items():
            value: object = self._configuration
            for part in parameter.key.split("."):
                value = value.get(part) if isinstance(value, Mapping) else None
            if isinstance(value, (str, int, float)):
                yield name, parameter, value

    def results(self) -> Iterator[tuple[str, str]]:
        """Yield the names of the results whose files the crate holds, with the files."""
        for name, result in self.capsule.specification.interface.results.items():
            path = results.placed(result.file, self._configuration, f"result '{name}'")
            if path in self.payload:
                yield name, path

    def reference(self, path: str) -> str:
        """Return the id of a file, which the crate may hold or only know."""
        return identifier(path) if path in self.payload else f"#known-{quote(path, safe='')}"


def identifier(path: str) -> str:
    """Return the id of a file in a crate's folder: a relative URI."""
    return quote(path, safe="/~!$&'()*+,;=@-._")


def author_id(number: int, orcid: str | None) -> str:
    """Return the id of one of the authors, counted from 0."""
    return f"https://orcid.org/{orcid}" if orcid else f"#author-{number}"


def date(when: float | None) -> str | None:
    """Return a time, in seconds since 1970, as ISO 8601 has it."""
    return None if when is None else datetime.fromtimestamp(when, UTC).isoformat(timespec="milliseconds")
