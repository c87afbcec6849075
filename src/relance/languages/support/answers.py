"""What a publisher asks about a job's files, and the answers that a shell in the job's own image gives.

The questions are known before the job has run. The answers are kept in a file, so that nobody needs to look
again: not where the job's folder is elsewhere, nor where it isn't there any more.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from relance.languages.model import Json, PlanError
from relance.languages.support.places import ROOT

_NUMBERED = re.compile(r"(.*_)(0|[1-9][0-9]{0,8})", re.DOTALL)


Kind = Literal["exists", "matches", "texts"]


@dataclass
class Questions:
    """Stands in for the file system and notes what is asked of it."""

    _noted: dict[tuple[Kind, str], None] = field(default_factory=dict)

    def exists(self, path: str) -> bool:
        """Note a question; say no, so that what is asked next is heard, too."""
        self._noted["exists", _bare(path)] = None
        return False

    def matches(self, pattern: str) -> list[str]:
        """Note a question."""
        self._noted["matches", _bare(pattern)] = None
        return [pattern]

    def text(self, path: str) -> str:
        """Note a question."""
        self._noted["texts", _bare(path)] = None
        return ""

    def of(self, kind: Kind) -> tuple[str, ...]:
        """Return the paths or patterns asked about; those in the workflow's folder relative to it."""
        return tuple(path for noted, path in self._noted if noted == kind)

    @property
    def all(self) -> tuple[str, ...]:
        """Return every path or pattern."""
        return tuple(dict.fromkeys(path for _, path in self._noted))


@dataclass(frozen=True)
class Answers:
    """What was found when a stage's jobs had run."""

    found: Json

    def exists(self, path: str) -> bool:
        """Return whether there was a file or folder."""
        return bool(self._answer("exists", path))

    def matches(self, pattern: str) -> list[str]:
        """Return the files and folders that a pattern matched, sorted."""
        return sorted(map(_signed, self._answer("matches", pattern)))

    def text(self, path: str) -> str:
        """Return what a file said, with the sign wherever the workflow's folder was named in it."""
        return str(self._answer("texts", path))

    def _answer(self, kind: str, asked: str) -> Json:
        try:
            return self.found[kind][_bare(asked)]
        except (KeyError, TypeError) as error:
            raise PlanError(f"nobody looked for {_bare(asked)!r} when the job had run") from error


def read(path: Path) -> Answers:
    """Return the answers of a file.

    Raises:
        PlanError: it can't be read, or holds something else.
    """
    try:
        content = json.loads(path.read_text("utf-8", "surrogateescape"), strict=False)
    except (OSError, ValueError, RecursionError) as error:
        raise PlanError(f"{path} can't be used: {error}") from error
    return Answers(content)


def words(asked: Iterable[tuple[str, str]]) -> list[str]:
    """Return questions, each with the folder of its job, as a shell can have thousands: three words each.

    `a_`, `0-99`, `:/*.txt` are a hundred questions; where the second word is `-`, it is one. No word is
    empty, for Snakemake leaves such a word out.
    """
    parts = sorted({_parts(question, folder) for question, folder in asked})
    found: list[str] = []
    for (before, after), several in itertools.groupby(parts, key=lambda part: part[:2]):
        for first, last in _runs([number for _, _, number in several]):
            found += [before, "-" if first < 0 else f"{first}-{last}", f":{after}"]
    return found


def _parts(question: str, folder: str) -> tuple[str, str, int]:
    """Return what comes before and after the job's number, and that; -1 where there is none."""
    match = _NUMBERED.fullmatch(folder)
    after = question.removeprefix(folder)
    if match is None or after == question or after[:1] not in {"", "/"}:
        return question, "", -1
    return match[1], after, int(match[2])


def _runs(numbers: list[int]) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    for number in numbers:
        if found and found[-1][1] + 1 == number:
            found[-1] = (found[-1][0], number)
        else:
            found.append((number, number))
    return found


def _bare(path: str) -> str:
    return path.removeprefix(f"{ROOT}/")


def _signed(path: str) -> str:
    return path if path.startswith("/") else f"{ROOT}/{path}"
