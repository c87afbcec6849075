"""Images of a submission: each must be where a REANA server can pull it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from relance.drafting.graph import Graph
from relance.engines.reana.declared import Declared, Language
from relance.errors import InputError, RelanceError
from relance.model import Digest
from relance.store.registry.reference import Reference

Look = Callable[[Reference], Digest]
"""Finds an image in its registry; raises if there is none."""

_NO_REGISTRY = ("oras://", "library://", "shub://", "docker-archive:", "oci:", "file:", "/", ".")


def named(declared: Declared, graph: Graph | None) -> dict[str, str]:
    """Return what each step runs in, by the step's name; empty where it names nothing.

    Steps of yadage and CWL are the server's to read; they are not listed.
    """
    if declared.language is Language.SNAKEMAKE and graph is not None:
        return {job.rule: job.image or "" for job in graph.jobs if job.command}
    if declared.language is Language.SERIAL:
        specification = declared.content["workflow"].get("specification")
        steps = specification.get("steps") if isinstance(specification, dict) else None
        listed = [step for step in steps or () if isinstance(step, dict)]
        return {
            str(step.get("name") or f"step {position}"): str(step.get("environment") or "")
            for position, step in enumerate(listed, 1)
        }
    return {}


def check(images: Mapping[str, str], look: Look | None) -> dict[str, Digest | None]:
    """Return what each image is in its registry, by how it is written; None where nobody looked.

    Raises:
        InputError: a step names none, or one that a server can't pull; all such are told at once.
    """
    wrong: list[RelanceError] = []
    found: dict[str, Digest | None] = {}
    for step, written in sorted(images.items()):
        if written in found:
            continue
        try:
            found[written] = _found(step, written, look)
        except RelanceError as error:
            wrong.append(_missing(step, written, error.found))
    if wrong:
        wrong[0].also = tuple(wrong[1:])
        raise wrong[0]
    return found


def _found(step: str, written: str, look: Look | None) -> Digest | None:
    if not written:
        raise _missing(step, written, "none, so that REANA would run it in one of its own")
    if written.startswith(_NO_REGISTRY):
        raise _missing(step, written, "a file, or what REANA doesn't pull")
    reference = Reference.of_image(written)
    return None if look is None else look(reference)


def _missing(step: str, written: str, found: str) -> InputError:
    return InputError(
        f"step '{step}': image {written!r}",
        expected="an image in a registry that the server reaches",
        found=found,
        next_step="push it ('podman push'), and name it as docker://REGISTRY/NAME@sha256:…",
    )
