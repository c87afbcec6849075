"""The files of what is checked: their text, and where in it something stands."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from relance.checks.finding import Place

_AROUND = 12  # characters
_FURTHER = 400  # lines
_LARGEST = 1 << 24  # bytes; no specification is larger


@dataclass
class Files:
    """Text files of a folder, each read once."""

    root: Path
    _lines: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def lines(self, file: str) -> tuple[str, ...]:
        """Return the lines of a file; none if it can't be read or is no text."""
        if file not in self._lines:
            self._lines[file] = self._read(file)
        return self._lines[file]

    def find(self, file: str, line: int, text: str, last: int | None = None) -> Place:
        """Return where a text stands as a word, from a line on, `last` being the last line looked at.

        If it isn't found, the place is the line itself.
        """
        if text:
            word = re.compile(rf"(?<![\w.-]){re.escape(text)}(?![\w-])")
            rows = self.lines(file)[line - 1 : last]
            for number, row in enumerate(rows, line):
                if found := word.search(row):
                    return Place(file, number, found.start() + 1)
        return Place(file, line)

    def near(self, place: Place, text: str, offset: int) -> Place:
        """Return where a part of a text stands whose first line is at a place, or after it.

        The text may have been put together from several lines; where none has the part, it is the place.
        """
        begin = text.rfind("\n", 0, offset) + 1
        end = text.find("\n", offset)
        row = text[begin : end if end >= 0 else len(text)]
        wanted = row[max(offset - begin - _AROUND, 0) : offset - begin + _AROUND].strip()
        first = place.line or 1
        for number, line in enumerate(self.lines(place.file)[first - 1 : first + _FURTHER], first):
            if wanted and wanted in line:
                return Place(place.file, number)
        return place

    def _read(self, file: str) -> tuple[str, ...]:
        path = self.root / file
        try:
            if not path.is_file() or path.stat().st_size > _LARGEST:
                return ()
            return tuple(path.read_text("utf-8").splitlines())
        except (OSError, UnicodeDecodeError):
            return ()
