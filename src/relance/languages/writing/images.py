"""What images are called where they are pulled, or at least where they were loaded."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from relance.drafting.graph import Job
from relance.errors import InputError
from relance.model import ImageRef

_REGISTRY = "docker://"
_OURS = "docker://relance/"
"""Begins a name that no registry has."""


def naming(known: Sequence[ImageRef], given: Mapping[str, str]) -> Callable[[Job], str | None]:
    """Return what says of a job how its image is called; None for a process of the machine.

    An image that was only built here is called by the digest of its configuration, as Docker and Podman call
    what was loaded into them.

    Args:
        known: images that the analysis has.
        given: names to use, by what rules write or by the analysis's own name; an empty one for processes.

    Raises:
        InputError: a given name is for no image of the analysis. The function raises it for an image that
            nobody else can have.
    """
    names = {one.name: one for one in known}
    unused = [key for key in given if key not in names and not key.startswith((_REGISTRY, "/"))]
    if unused:
        raise InputError(
            f"image '{unused[0]}'",
            expected=f"one of {', '.join(names)}, or what a rule's 'container:' says" if names
            else "what a rule's 'container:' says",
            found="an image that the analysis doesn't have",
            next_step="correct the name",
        )  # fmt: skip

    def name(job: Job) -> str | None:
        if job.image is None:
            return None
        ours = next((one for one in known if job.image in one.written), None)
        for key in (job.image, ours.name if ours else job.image):
            if key in given:
                return given[key].removeprefix(_REGISTRY) or None
        found = _called(job.image, ours)
        if found is None:
            raise InputError(
                f"rule {job.rule}: image {job.image}",
                expected="an image of a registry ('docker://…'), or one that the analysis built",
                found="neither",
                next_step=f"say what a registry calls it: --image {job.image}=NAME@sha256:…",
            )
        return found

    return name


def _called(written: str, ours: ImageRef | None) -> str | None:
    for name in ours.written if ours else ():
        if name.startswith(_REGISTRY) and "@sha256:" in name:
            return name.removeprefix(_REGISTRY)
    if ours is not None and ours.config is not None and (_OURS in written or _REGISTRY not in written):
        return ours.config
    return written.removeprefix(_REGISTRY) if written.startswith(_REGISTRY) else None
