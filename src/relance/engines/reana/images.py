"""Images of a submission: each must be where a REANA server can pull it, or is to be brought there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from relance.drafting.graph import Job
from relance.engines.reana.declared import Declared, Language, serial
from relance.errors import InputError, MissingPartError, RelanceError
from relance.model import Digest
from relance.store.descriptors import Descriptor
from relance.store.images import PublishedImage
from relance.store.registry.reference import Reference
from relance.store.registry.refusals import NotFoundError, RefusedError

_NO_REGISTRY = ("oras://", "library://", "shub://", "docker-archive:", "oci:", "file:", "/", ".")
_FILES = (".sif", ".sqsh", ".img", ".tar")
_OWN = "docker://relance/"
_SCHEME = "docker://"


@dataclass(frozen=True)
class Seen:
    """What a registry has under a reference."""

    manifest: Digest
    config: Digest | None
    """None of an index, which names images for several kinds of processors."""


@dataclass(frozen=True)
class Held:
    """An image that the store has, and a registry can be given."""

    name: str
    """The last part of the repository that it would get."""
    manifest: Descriptor
    config: Digest
    listed: PublishedImage | None = None
    """As the list of published images would have it; None if the analysis doesn't know it from a list."""


Look = Callable[[Reference], Seen]
"""Finds an image in its registry; raises if there is none."""

Holding = Callable[[str], Held | None]
"""Finds what the store has for an image as steps write it."""


@dataclass(frozen=True)
class Choice:
    """What becomes of an image."""

    written: str
    """As the steps name it."""
    becomes: str
    """As they name it in what is sent: the same, unless it is pushed."""
    found: Digest | None = None
    """The manifest that the registry has; None if nobody looked, or it has none."""
    pushed: Held | None = None
    why: str = ""
    """Why it is pushed."""


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


def choose(
    images: Mapping[str, str], look: Look | None, holding: Holding, target: Reference | None
) -> tuple[Choice, ...]:
    """Say of each image whether its registry has it, else that it is pushed to another.

    An image of the store counts as the one that the registry has if both have the same configuration.

    Args:
        images: what each step names.
        look: asks registries; None: nobody asks, and what names a registry is taken to be there.
        holding: finds images of the store.
        target: registry and repository below which images are pushed; None: nothing is pushed.

    Raises:
        InputError: a step names none, or one that a server can't pull and that can't be pushed; all such are
            told at once.
        MissingPartError: nothing but that a registry doesn't answer.
    """
    users: dict[str, list[str]] = {}
    for step, written in sorted(images.items()):
        users.setdefault(written, []).append(step)
    wrong: list[RelanceError] = []
    found: list[Choice] = []
    for written, steps in users.items():
        held = holding(written)
        own = held is not None and (look is not None or target is not None)
        seen, why = _seen(written, look, held if own else None)
        if why is None:
            found.append(Choice(written, written, seen))
        elif held is None or target is None:
            wrong.append(_missing(steps, written, why, can_push=held is not None))
        else:
            found.append(Choice(written, _becomes(written, held, target), seen, held, _told(why)))
    if wrong:
        # The first says how a command ends: what is wrong for sure goes before what isn't known.
        wrong.sort(key=lambda error: isinstance(error, MissingPartError))
        wrong[0].also = tuple(wrong[1:])
        raise wrong[0]
    return tuple(found)


def place(held: Held, target: Reference) -> Reference:
    """Return where an image is pushed to: a tag keeps registries from clearing it away."""
    tag = held.config.removeprefix("sha256:")[:12]
    return Reference(target.host, f"{target.repository}/{held.name}", None, tag)


def _becomes(written: str, held: Held, target: Reference) -> str:
    where = place(held, target)
    bare = not written.startswith((_SCHEME, *_NO_REGISTRY)) and not written.endswith(_FILES)
    return f"{'' if bare else _SCHEME}{where.name}@{held.manifest.digest}"


def _seen(
    written: str, look: Look | None, held: Held | None
) -> tuple[Digest | None, str | RelanceError | None]:
    """Return what a registry has of an image, and why that is not enough; None if it is."""
    if not written:
        return None, "none, so that REANA would run it in one of its own"
    if written.startswith(_NO_REGISTRY) or written.endswith(_FILES):
        return None, "a file, or what REANA doesn't pull"
    if held is not None and written.startswith(_OWN):
        return None, "one that was built here, which no registry has"
    try:
        reference = Reference.of_image(written)
        if look is None:
            return None, None
        seen = look(reference)
    except RelanceError as error:
        return None, error
    same = (
        held is None
        or reference.digest is not None
        or seen.config in {None, held.config}
        or seen.manifest == held.manifest.digest
    )
    return seen.manifest, None if same or held is None else f"another one, {seen.config}, than {held.config}"


def _told(why: str | RelanceError) -> str:
    return why.found if isinstance(why, RelanceError) else why


def _missing(steps: Iterable[str], written: str, why: str | RelanceError, *, can_push: bool) -> RelanceError:
    push = "let it be pushed: '--image-registry HOST/REPOSITORY'"
    other = "push it ('podman push'), and name it as docker://REGISTRY/NAME@sha256:…"
    silent = isinstance(why, MissingPartError)
    if silent:
        other = "check the network and the name, or leave out the question: '--skip-images'"
    elif isinstance(why, RefusedError) and not isinstance(why, NotFoundError):
        other = why.next_step
    return (MissingPartError if silent else InputError)(
        f"image {written!r} of {', '.join(map(repr, steps))}",
        expected="an image in a registry that the server reaches",
        found=_told(why),
        next_step=push if can_push else other,
    )
