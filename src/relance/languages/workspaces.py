"""Rules for steps whose commands share one folder, and for what is taken out of it in the end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from relance.languages.literals import literal, quoted

PLACE = "outputs"
"""Folder of what is taken out."""


@dataclass(frozen=True)
class Taken:
    """Files and folders that a workflow is run for, relative to the folder that its steps share."""

    files: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()

    @property
    def apart(self) -> Taken:
        """What is left when nothing is named that lies in a folder that is named."""
        folders = tuple(one for one in self.folders if not _within(one, self.folders))
        return Taken(tuple(one for one in self.files if not _within(one, self.folders)), folders)


NOTHING = Taken()


def rule(name: str, pattern: str, container: Sequence[str], texts: Sequence[str]) -> list[str]:
    """Return the lines of a rule for one step's commands."""
    stage = quoted(pattern)
    return [
        f"rule {name}:",
        "    input:",
        f"        RULES.workspace({stage}),",
        "    output:",
        f"        directory({quoted(f'workdir/{pattern}')}),",
        "    log:",
        f"        {quoted(f'logs/{pattern}.log')},",
        *container,
        "    params:",
        f"        begins=RULES.begins({stage}),",
        f"        given=RULES.swapped({stage}),",
        f"        commands=RULES.commands({stage},",
        *(f"            {literal(text)}," for text in texts),
        "        ),",
        "    shell:",
        "        SERIAL",
    ]


def outputs(name: str, pattern: str, container: Sequence[str], taken: Taken) -> str:
    """Return the rule that takes files and folders out of the folder of the last step."""
    apart = taken.apart
    return "\n".join(
        [
            f"rule {name}:",
            "    input:",
            f"        {quoted(f'workdir/{pattern}')},",
            "    output:",
            *(f"        {quoted(f'{PLACE}/{path}')}," for path in apart.files),
            *(f"        directory({quoted(f'{PLACE}/{path}')})," for path in apart.folders),
            *container,
            "    params:",
            f"        paths=[{', '.join(map(quoted, (*apart.files, *apart.folders)))}],",
            "    shell:",
            "        OUTPUTS",
        ]
    )


def _within(path: str, folders: Sequence[str]) -> bool:
    return any(str(parent) in folders for parent in PurePosixPath(path).parents if str(parent) != ".")
