"""What a rehearsal shows: the analysis would break on REANA, or this machine couldn't rehearse it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from relance.errors import AnalysisError, InputError, MissingPartError, RelanceError

if TYPE_CHECKING:
    from relance.engines.reana.images import Look
    from relance.engines.rehearsal import Rehearsal

_LAST_LINES = 60
_LONGEST = 300
_ADVICE = ("Run 'docker", "See 'docker")
"""How Docker ends what it says, whatever the reason."""


def conclude(done: Rehearsal, keep: Path | None, look: Look, built: Collection[str]) -> None:
    """Raise the error for a rehearsal that went wrong, after showing what was said.

    Args:
        done: the rehearsal.
        keep: the folder in which logs are kept.
        look: asks the registry of an image that no container could be made of here.
        built: images that were built here, as rules name them; no registry is asked for them.

    Raises:
        AnalysisError: a job failed as it would on REANA, or none was begun.
        InputError: only images were missing, and a registry says that it doesn't have one of them.
        MissingPartError: this machine couldn't start containers, which says nothing about REANA.
    """
    if done.ended == 0:
        return
    for line in done.console.read_text("utf-8", "replace").splitlines()[-_LAST_LINES:]:
        click.echo(f"    {line}", err=True)
    where = f"; all logs are in {done.console.parent}" if keep else "; '--keep DIR' keeps all logs"
    said = {one.image: one.never_began for one in done.failures if one.never_began is not None}
    missing = [_missing(image, words, done, look, built) for image, words in said.items()]
    if missing and all(one.never_began is not None for one in done.failures):
        # The first says how the command ends: what is wrong for sure goes before what isn't known.
        first, *others = sorted(missing, key=lambda error: isinstance(error, MissingPartError))
        first.also = tuple(others)
        raise first
    raise AnalysisError(
        "the analysis would break on REANA",
        expected="every job to make its outputs",
        found="an error, shown above",
        next_step=f"mend it (docs/reana.md tells what is different there){where}",
        also=tuple(missing),
    )


def _missing(image: str, words: str, done: Rehearsal, look: Look, built: Collection[str]) -> RelanceError:
    """Return the error for an image of which there was no container; its registry is asked for the reason."""
    from relance.engines.reana import images

    rules: Mapping[str, str] = {one.rule: image for one in done.failures if one.image == image}
    known = "built here"
    if image not in built:
        try:
            images.choose(rules, look, lambda _written: None, None)
            known = "in its registry"
        except InputError as error:
            return error
        except RelanceError as error:
            known, words = "", f"a registry that doesn't answer: {error.found}"
    return MissingPartError(
        f"image {image!r} of {', '.join(map(repr, sorted(rules)))}",
        expected="an image of which a container can be started here",
        found=_reason(words),
        next_step="mend that, and rehearse again; it says nothing about REANA"
        + (f" (the image is {known})" if known else ""),
    )


def _reason(words: str) -> str:
    """Return the last line of what an engine said that tells a reason."""
    lines = [line.strip() for line in words.splitlines()]
    told = [line for line in lines if line and not line.startswith(_ADVICE)]
    return told[-1][-_LONGEST:] if told else "no container, and no reason told"
