"""References to images replaced in what is sent, because the images are in another registry now."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from relance import document
from relance.engines.reana.declared import NAME, Declared
from relance.engines.reana.images import Choice
from relance.errors import InputError
from relance.store import images

_LARGEST = 1 << 20  # bytes of a file that is searched; a workflow's own are smaller
_GOES_ON = r"[A-Za-z0-9_./:@-]"
"""What may not stand around a reference: then it is a part of another one."""


@dataclass(frozen=True)
class Rewritten:
    """What is sent instead, and how it differs."""

    declared: Declared
    difference: str
    """As `diff -u` writes it."""


def rewrite(declared: Declared, choices: Iterable[Choice], scratch: Path) -> Rewritten:
    """Replace the references to images that are pushed, in files of the workflow and the list of images.

    Args:
        declared: what would be sent.
        choices: what becomes of each image.
        scratch: an empty folder, which gets what is sent instead.

    Raises:
        InputError: an image is named nowhere as its steps name it: then nobody can tell where to change it.
    """
    pushed = [choice for choice in choices if choice.becomes != choice.written]
    texts = {path: text for path in declared.definition if (text := _text(declared.place(path))) is not None}
    changed: dict[str, str] = {}
    done: set[str] = set()
    for path, text in texts.items():
        now = text
        for choice in pushed:
            now, count = _pattern(choice.written).subn(lambda _, new=choice.becomes: new, now)  # type: ignore[misc]
            if count:
                done.add(choice.written)
        if now != text:
            changed[path] = now
    lock, local = images.LOCK.as_posix(), images.LOCAL.as_posix()
    listed = [choice for choice in pushed if choice.pushed is not None and choice.pushed.listed is not None]
    if listed and lock in declared.definition:
        changed[lock] = _lock(declared, listed, scratch)
        done |= {choice.written for choice in listed}
    _require(choice for choice in pushed if choice.written not in done)
    for path, text in changed.items():
        target = scratch / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
    instead = {**declared.instead, **{path: scratch / path for path in changed}}
    left_out = {local} if lock in changed else set()  # it would be preferred there, and names files of here
    made = replace(
        declared,
        definition=tuple(path for path in declared.definition if path not in left_out),
        inputs=tuple(path for path in declared.inputs if path not in left_out),
        instead=instead,
    )
    if NAME in changed:
        content = document.read(made.place(NAME)).value
        made = replace(made, content=content if isinstance(content, dict) else made.content)
    return Rewritten(made, "".join(_difference(texts, changed)))


def require_used(images_of: Mapping[str, str], choices: Iterable[Choice]) -> None:
    """Refuse steps that still name an image that was replaced, or another than the one in its place.

    Raises:
        InputError: there are such steps.
    """
    allowed = {choice.becomes for choice in choices}
    wrong = sorted(step for step, written in images_of.items() if written not in allowed)
    if wrong:
        raise InputError(
            f"images of {', '.join(map(repr, wrong))}",
            expected="the references that were put in place of others",
            found=", ".join(sorted({images_of[step] for step in wrong})),
            next_step="name images as plain text in the rules, or in containers/images.lock.yaml",
        )


def _lock(declared: Declared, listed: Sequence[Choice], scratch: Path) -> str:
    """Return the list of published images with those that are pushed."""
    known = dict(images.known(declared.folder).published)
    for choice in listed:
        if choice.pushed is not None and choice.pushed.listed is not None:
            reference = choice.becomes.removeprefix("docker://")
            known[choice.pushed.name] = replace(choice.pushed.listed, reference=reference)
    (scratch / images.LOCK).parent.mkdir(parents=True, exist_ok=True)
    images.write_lock(scratch, known)
    return (scratch / images.LOCK).read_text(encoding="utf-8")


def _pattern(written: str) -> re.Pattern[str]:
    return re.compile(f"(?<!{_GOES_ON}){re.escape(written)}(?!{_GOES_ON})")


def _text(path: Path) -> str | None:
    if path.stat().st_size > _LARGEST:
        return None
    try:
        return path.read_bytes().decode()
    except UnicodeDecodeError:
        return None


def _difference(texts: Mapping[str, str], changed: Mapping[str, str]) -> Iterable[str]:
    for path, text in sorted(changed.items()):
        before, after = (one.splitlines(keepends=True) for one in (texts.get(path, ""), text))
        for line in difflib.unified_diff(before, after, f"a/{path}", f"b/{path}", n=1):
            yield line if line.endswith("\n") else f"{line}\n"


def _require(missed: Iterable[Choice]) -> None:
    errors = [
        InputError(
            f"image {choice.written!r} can't be replaced by {choice.becomes}",
            expected="it written so in a file of the workflow, or in containers/images.lock.yaml",
            found="it nowhere: the workflow puts it together",
            next_step="name it as plain text, or push it yourself and name what is in the registry",
        )
        for choice in missed
    ]
    if errors:
        errors[0].also = tuple(errors[1:])
        raise errors[0]
