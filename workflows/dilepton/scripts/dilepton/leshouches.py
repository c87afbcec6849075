"""A look at a Les Houches event file before Pythia is given it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dilepton.errors import AnalysisError
from dilepton.weightnames import harmless

_WEIGHT = re.compile(rb"<wgt\s[^>]*id\s*=\s*['\"]([^'\"]+)['\"]")


class LesHouchesError(AnalysisError):
    """A file that cannot be showered."""


@dataclass(frozen=True)
class LesHouchesFile:
    """A complete Les Houches event file.

    Attributes:
        events: how many it holds.
        weight_ids: of the weights that every event brings besides its own, as the file has them.
    """

    path: Path
    events: int
    weight_ids: tuple[str, ...]

    @property
    def weight_names(self) -> tuple[str, ...]:
        """`lhe_<id>` for each of `weight_ids`, made harmless."""
        return harmless([f"lhe_{name}" for name in self.weight_ids])


def inspect(path: Path) -> LesHouchesFile:
    """See that a Les Houches event file is one, is complete, and has the same weights in every event.

    Raises:
        LesHouchesError: it is not, or has not.
        OSError: it cannot be read.
    """
    events = opened = 0
    ended = False
    expected: list[bytes] | None = None
    found: list[bytes] = []
    with path.open("rb") as lines:
        for number, line in enumerate(lines):
            if number == 0:
                _check_start(path, line)
            if line.startswith((b"<event>", b"<event ")):
                opened += 1
                found = []
            found.extend(_WEIGHT.findall(line))
            if line.startswith(b"</event>"):
                expected = found if expected is None else expected
                _check_weights(path, events, expected, found)
                events += 1
            ended |= line.startswith(b"</LesHouchesEvents")
    if opened != events or not ended:
        raise LesHouchesError(
            f"'{path}': expected a complete Les Houches event file, found {opened} events begun, "
            f"{events} ended and {'the' if ended else 'no'} closing line; make it or copy it again"
        )
    return LesHouchesFile(path, events, tuple(name.decode("utf-8", "replace") for name in expected or []))


def _check_start(path: Path, line: bytes) -> None:
    if not line.lstrip().startswith(b"<LesHouchesEvents"):
        raise LesHouchesError(
            f"'{path}': expected a Les Houches event file, found {line[:40]!r} on its first line; "
            "decompress it if it is compressed, or give another by --lhe"
        )


def _check_weights(path: Path, number: int, expected: Sequence[bytes], found: Sequence[bytes]) -> None:
    if list(found) != list(expected):
        raise LesHouchesError(
            f"'{path}': event {number}: expected the weights of the first event, {_listed(expected)}, "
            f"found {_listed(found)}; give a file with the same weights in every event"
        )


def _listed(names: Sequence[bytes]) -> str:
    return ", ".join(name.decode(errors="replace") for name in names) or "none"
