"""What `relance reana submit` sends: found out before any server is asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from relance.cli.reana import asking, supply

if TYPE_CHECKING:
    from relance.cli.reana.source import Source
    from relance.engines.reana.images import Choice
    from relance.engines.reana.submitting import Request
    from relance.store.registry.reference import Reference


@dataclass(frozen=True)
class Asked:
    """What is asked for on the command line."""

    name: str | None
    assignments: tuple[str, ...]
    options: tuple[str, ...]
    registry: Reference | None
    """Where images are pushed to that no registry has."""
    look: bool
    """Whether registries are asked for images."""
    values: Mapping[str, Any] = field(default_factory=dict)
    """Of the configuration, with their types; nested as in it."""
    allowed_secrets: tuple[str, ...] = ()
    """Digests of files that only look as if they held secrets."""


@dataclass(frozen=True)
class Sending:
    """A request, with the images that it needs."""

    request: Request
    choices: tuple[Choice, ...]
    difference: str
    """How the files that are sent differ from those that lie here, as `diff -u` writes it."""


def prepare(source: Source, asked: Asked, environment: Mapping[str, str], scratch: Path) -> Sending:
    """Check all that is asked for, and say what is sent.

    scratch: an empty folder, which gets what is sent in place of the analysis's own files.

    Raises:
        InputError: a parameter, a path or an image is not as it has to be, or a file holds a secret.
    """
    from relance import digest
    from relance.engines.reana import images, parameters, rewriting, secrecy, submitting

    declared = source.declared
    secrecy.require_none(declared, {*source.allowed_secrets, *map(digest.parse, asked.allowed_secrets)})
    typed = parameters.typed(declared, asking.pairs(asked.assignments, "--set"), source.interface)
    typed = parameters.merged(parameters.merged(source.configuration, typed), dict(asked.values))
    jobs = source.jobs(declared, typed)
    look = supply.look(environment) if asked.look else None
    choices = images.choose(images.named(declared, jobs), look, source.holding, asked.registry)
    difference = ""
    if any(choice.pushed for choice in choices):
        rewritten = rewriting.rewrite(declared, choices, scratch)
        declared, difference = rewritten.declared, rewritten.difference
        becomes = {choice.written: choice.becomes for choice in choices}
        jobs = tuple(
            replace(job, image=becomes.get(job.image or "", job.image)) if source.origin.capsule else job
            for job in source.jobs(declared, typed)
        )
        rewriting.require_used(images.named(declared, jobs), choices)
    request = submitting.Request(
        declared,
        asking.run_name(asked.name, source.name),
        typed,
        asking.pairs(asked.options, "--option"),
        jobs,
        source.origin,
        source.products,
    )
    return Sending(request, choices, difference)
