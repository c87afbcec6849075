"""Images of a submission: each must be where a REANA server can pull it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from relance.drafting.graph import Job
from relance.engines.reana.declared import Declared, Language, serial
from relance.errors import InputError, RelanceError
from relance.model import Digest
from relance.store.registry.reference import Reference

Look = Callable[[Reference], Digest]
"""Finds an image in its registry; raises if there is none."""

_NO_REGISTRY = ("oras://", "library://", "shub://", "docker-archive:", "oci:", "file:", "/", ".")
_FILES = (".sif", ".sqsh", ".img", ".tar")


def named(declared: Declared, jobs: Iterable[Job]) -> dict[str, str]:
    """Return what each step runs in, by the step's name; empty where it names nothing.

    Steps of yadage and CWL are the server's to read; they are not listed.
    """
    if declared.language is Language.SNAKEMAKE:
        return {job.rule: job.image or "" for job in jobs if job.command or job.outputs}
    if declared.language is Language.SERIAL:
        specification = serial(declared)
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
    users: dict[str, list[str]] = {}
    for step, written in sorted(images.items()):
        users.setdefault(written, []).append(step)
    wrong: list[RelanceError] = []
    found: dict[str, Digest | None] = {}
    for written, steps in users.items():
        try:
            found[written] = _found(written, look)
        except RelanceError as error:
            wrong.append(_missing(steps, written, error.found))
    if wrong:
        wrong[0].also = tuple(wrong[1:])
        raise wrong[0]
    return found


def _found(written: str, look: Look | None) -> Digest | None:
    if not written:
        raise _missing((), written, "none, so that REANA would run it in one of its own")
    if written.startswith(_NO_REGISTRY) or written.endswith(_FILES):
        raise _missing((), written, "a file, or what REANA doesn't pull")
    reference = Reference.of_image(written)
    return None if look is None else look(reference)


def _missing(steps: Iterable[str], written: str, found: str) -> InputError:
    return InputError(
        f"image {written!r} of {', '.join(map(repr, steps))}",
        expected="an image in a registry that the server reaches",
        found=found,
        next_step="push it ('podman push'), and name it as docker://REGISTRY/NAME@sha256:…",
    )
