"""What a job is given: its parameters and texts, with the folders that they name filled in."""

from __future__ import annotations

from dataclasses import dataclass

from relance.languages.model import Json
from relance.languages.support import interpolation, publishing
from relance.languages.support.nodes import Node
from relance.languages.support.places import ROOT, SWAPPED, WORK, Places


@dataclass(frozen=True)
class Filling:
    """Fills in what jobs are given, from the folders of the jobs that it comes from."""

    init: Node | None
    """What publishes the whole workflow's parameters; None if there are none."""
    places: Places
    inputs: str
    """Folder of the files that the workflow is given, relative to its own."""

    def parameters(self, node: Node) -> Json:
        """Return a job's parameters with `{workdir}` and `{readdir0}` replaced."""
        return ordered(self.contextual(node, node.parameters))

    def contextual(self, node: Node, value: Json) -> Json:
        """Return a value with a job's `{workdir}` and `{readdir0}` replaced."""
        # A folder that two ways lead to is there twice, as in yadage.
        readable = map(self.place, self.sources(node))
        folders = {f"readdir{index}": path for index, path in enumerate(readable)}
        if node.writes:
            folders["workdir"] = f"{WORK}/{node.name}"
        return interpolation.fill_folders(value, folders)

    def command(self, node: Node, text: str) -> str:
        """Return the text of a job's command."""
        return interpolation.fill(text, self.parameters(node))

    def outside(self, node: Node) -> tuple[str, ...]:
        """Return the files and folders from outside that a job's parameters name, relative if within."""
        inside = (f"{ROOT}/{self.inputs}/", f"{ROOT}/{SWAPPED}")
        found: dict[str, None] = {}
        for _, value in publishing.leaves(self.parameters(node)):
            outside = isinstance(value, str) and value.startswith("/") and not value.startswith(f"{ROOT}/")
            if (outside or str(value).startswith(inside)) and self.places.exists(value):
                found[value.removeprefix(f"{ROOT}/")] = None
        return tuple(found)

    def sources(self, node: Node) -> tuple[Node, ...]:
        """Return those whose folders a job may read, in the order of its parameters."""
        if node is self.init:
            return (node,)
        return tuple(job for one in node.used for job in ((one,) if one.writes else self.sources(one)))

    def place(self, source: Node) -> str:
        """Return the folder of one of the sources, with the sign."""
        return f"{WORK}/{source.name}" if source.writes else f"{ROOT}/{self.inputs}"


def ordered(value: Json) -> Json:
    """Return a value with the keys of its mappings in alphabetical order, in which yadage hands them on."""
    if isinstance(value, dict):
        return {key: ordered(value[key]) for key in sorted(value)}
    if isinstance(value, list):
        return list(map(ordered, value))
    return value
