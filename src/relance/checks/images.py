"""Container images: what their names promise, and whether REANA can pull and run them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path

from relance.checks.expressions import UNKNOWN
from relance.checks.finding import Finding, Place, Target
from relance.errors import RelanceError
from relance.store import images as relance_images

REANA_USER = 1000
"""The user id that REANA runs jobs as, unless a job asks for another with `kubernetes_uid`."""

_MOVING = frozenset(("latest", "master", "main", "dev", "devel", "develop", "nightly", "edge"))
_ROOT = frozenset(("", "0", "root"))
_FILE = re.compile(r"^(?:/|\./|\.\./|~)|\.(?:sif|simg|sqsh|img)$")
_UNPACKED = "/cvmfs/"
"""Where images lie unpacked for all."""
_SCHEME = re.compile(r"^(?P<scheme>[a-z][a-z0-9+.-]*):/")
_NAME = re.compile(r"[a-z0-9][A-Za-z0-9._/:@-]*")

Users = Callable[[str], str | None]
"""Gives the USER of an image by its reference; None if the image isn't at hand."""


class Language(Enum):
    """How an image is written."""

    SNAKEMAKE = auto()
    """With `docker://`; without, it is a file."""
    PLAIN = auto()


@dataclass(frozen=True)
class Named:
    """An image that something runs in."""

    reference: str
    place: Place
    subject: str
    """Who runs in it, such as `rule fit`."""
    language: Language
    user: int | None = None
    """The user id that it asks for on REANA."""


def check(
    named: Iterable[Named], root: Path, target: Target | None, user_of: Users | None = None
) -> Iterator[Finding]:
    """Give what is wrong with images; an image that isn't known (`UNKNOWN`) is passed over."""
    own = _own(root)
    for one in named:
        if UNKNOWN in one.reference or "{" in one.reference or not one.reference:
            continue
        yield from _one(one, root, target, own)
        if target is Target.REANA and user_of is not None and one.user is None:
            yield from _user(one, user_of)


def _one(one: Named, root: Path, target: Target | None, own: frozenset[str]) -> Iterator[Finding]:
    plain = one.reference.removeprefix("docker://")
    if one.reference in own or _is_built_here(plain, root):
        if target is Target.REANA:
            yield Finding(
                "RL207",
                one.place,
                f"the image of {one.subject}",
                expected="one that REANA can pull",
                found="one that is built from containers/ and isn't published",
                next_step="push it to a registry, and name it with 'relance images lock'",
            )
        return
    scheme = _SCHEME.match(one.reference)
    registry = scheme is None or scheme["scheme"] == "docker"
    if not registry or _FILE.search(plain):
        if target is Target.REANA and not plain.startswith(_UNPACKED):
            yield Finding(
                "RL204",
                one.place,
                f"the image of {one.subject}",
                expected="one in a registry: docker://REGISTRY/NAME@sha256:…",
                found=repr(one.reference),
                next_step="push it to a registry",
            )
        return
    if one.language is Language.SNAKEMAKE and scheme is None and not (root / plain).exists():
        yield Finding(
            "RL205",
            one.place,
            f"the image of {one.subject}",
            expected=f"docker://{plain}",
            found=f"{one.reference!r}, which Snakemake takes for a file",
            next_step="write docker:// before it; REANA takes it off",
        )
    yield from _tag(one, plain)


def _tag(one: Named, plain: str) -> Iterator[Finding]:
    if "@sha256:" in plain or not _NAME.fullmatch(plain):
        return
    last = plain.rpartition("/")[2]
    name, _, tag = last.partition(":")
    if tag and tag not in _MOVING:
        yield Finding(
            "RL202",
            one.place,
            f"the image of {one.subject}",
            expected=f"{plain}@sha256:…",
            found=f"{plain!r}: whoever may push can change what it names",
            next_step="add its digest (skopeo inspect, or relance images import, tells it)",
        )
    else:
        yield Finding(
            "RL201",
            one.place,
            f"the image of {one.subject}",
            expected=f"a tag and a digest: {name}:TAG@sha256:…",
            found=f"{plain!r}, which is another image after each push",
            next_step="name the version that the results were made with",
        )


def _user(one: Named, user_of: Users) -> Iterator[Finding]:
    user = (user_of(one.reference.removeprefix("docker://")) or "").partition(":")[0]
    if user not in _ROOT and user != str(REANA_USER):
        asked = f"'kubernetes_uid: {user}'" if user.isdigit() else "'kubernetes_uid' with its number"
        yield Finding(
            "RL206",
            one.place,
            f"the image of {one.subject}",
            expected=f"one that runs as user {REANA_USER}, group 0",
            found=f"USER {user}: what only that user may read isn't readable there",
            next_step=f"set {asked} for this step, or make its files readable to all",
        )


def _is_built_here(plain: str, root: Path) -> bool:
    """Return whether an image is one of relance's own, made from a Containerfile of the analysis."""
    name = re.fullmatch(r"relance/([a-z0-9][a-z0-9._-]*)(?::[\w.-]+)?", plain)
    return name is not None and (root / "containers" / name[1] / "Containerfile").is_file()


def _own(root: Path) -> frozenset[str]:
    """Return the runtime images that 'relance images build' made for an analysis."""
    try:
        known = relance_images.known(root)
    except RelanceError:
        return frozenset()
    return frozenset(str(image.runtime.path) for image in known.local.values())
