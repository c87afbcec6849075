"""A look at a Les Houches event file before Pythia is given it."""

from pathlib import Path

from dilepton.errors import AnalysisError


class LesHouchesError(AnalysisError):
    """A file that cannot be showered."""


def check(path: Path, events: int) -> None:
    """See that a Les Houches event file is one, is complete and holds enough events.

    Raises:
        LesHouchesError: it is not, or it does not.
        OSError: it cannot be read.
    """
    opened = closed = 0
    ended = False
    with path.open("rb") as lines:
        for number, line in enumerate(lines):
            if number == 0 and not line.lstrip().startswith(b"<LesHouchesEvents"):
                raise LesHouchesError(
                    f"'{path}': expected a Les Houches event file, found {line[:40]!r} on its first line; "
                    "decompress it if it is compressed, or give another by --lhe"
                )
            opened += line.startswith((b"<event>", b"<event "))
            closed += line.startswith(b"</event>")
            ended |= line.startswith(b"</LesHouchesEvents")
    if opened != closed or not ended:
        raise LesHouchesError(
            f"'{path}': expected a complete Les Houches event file, found {opened} events begun, "
            f"{closed} ended and {'the' if ended else 'no'} closing line; make it or copy it again"
        )
    if closed < events:
        raise LesHouchesError(
            f"'{path}': expected at least {events} events, found {closed}; ask for --events {closed} or fewer"
        )
