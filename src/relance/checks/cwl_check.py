"""A workflow in the Common Workflow Language: what its reader refuses, images, commands, unused inputs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from relance.checks.commands import Command
from relance.checks.files import Files
from relance.checks.finding import Finding, Place
from relance.checks.images import Language, Named
from relance.checks.refusals import refused
from relance.errors import InputError, MissingPartError
from relance.languages.cwl import documents, workflows
from relance.languages.cwl.given import Given
from relance.languages.cwl.limits import UnsupportedError
from relance.languages.cwl.model import Tool, Workflow


@dataclass(frozen=True)
class Checked:
    """What came of a workflow."""

    findings: tuple[Finding, ...]
    images: tuple[Named, ...] = ()
    commands: tuple[Command, ...] = ()
    looked_at: tuple[str, ...] = ()
    """Files, relative to the folder that is checked."""


def check(root: Path, file: str, files: Files) -> Checked:
    """Check a workflow or tool; `file` is relative to the root, with `#name` for one of several processes."""
    name, _, wanted = file.partition("#")
    try:
        reading = workflows.read(documents.root(root, name, wanted), Given())
    except UnsupportedError as error:
        # It is CWL all the same, and others run it.
        told = tuple(replace(one, code="RL003") for one in refused(error, name))
        return Checked(told, looked_at=(name,))
    except InputError as error:
        return Checked(tuple(refused(error, name)), looked_at=(name,))
    except MissingPartError as error:
        told = tuple(replace(one, code="RL003") for one in refused(error, name))
        return Checked(told, looked_at=(name,))
    tools = dict(_tools(reading.workflow, ()))
    return Checked(
        tuple(_unused(reading.workflow, name, files)),
        tuple(_images(tools, files)),
        tuple(_commands(tools)),
        tuple(dict.fromkeys((name, *(tool.origin.file for tool in tools.values())))),
    )


def _tools(workflow: Workflow, above: tuple[str, ...]) -> Iterator[tuple[str, Tool]]:
    for step in workflow.steps:
        path = (*above, step.name)
        if isinstance(step.runs, Tool):
            yield "/".join(path), step.runs
        else:
            yield from _tools(step.runs, path)


def _images(tools: dict[str, Tool], files: Files) -> Iterator[Named]:
    seen: set[tuple[str, int, str]] = set()
    for name, tool in tools.items():
        if tool.image is None or (tool.origin.file, tool.origin.line, tool.image) in seen:
            continue
        seen.add((tool.origin.file, tool.origin.line, tool.image))
        place = files.find(tool.origin.file, tool.origin.line, "dockerPull")
        yield Named(tool.image, place, f"step '{name}'", Language.PLAIN)


def _commands(tools: dict[str, Tool]) -> Iterator[Command]:
    """Give the commands of tools that a shell reads."""
    for name, tool in tools.items():
        if tool.shell:
            texts = [one.value for one in tool.arguments if one.value and not one.quoted]
            place = Place(tool.origin.file, tool.origin.line)
            yield Command(" ".join((*tool.command, *texts)), place, f"step '{name}'")


def _unused(workflow: Workflow, file: str, files: Files) -> Iterator[Finding]:
    """Give the inputs of the whole workflow that no step and no output takes."""
    taken = {source for result in workflow.results for source in result.link.sources}
    for step in workflow.steps:
        taken |= {source for handed in step.inputs for source in handed.link.sources}
    for one in workflow.inputs:
        if one.name not in taken:
            yield Finding(
                "RL106",
                files.find(file, 1, one.name),
                f"input {one.name!r}",
                expected="a step that takes it",
                found="none",
                next_step="correct its name, or remove it",
            )
