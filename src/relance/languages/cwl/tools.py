"""Reads a CommandLineTool."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping

from relance.languages.cwl import documents, limits, types
from relance.languages.cwl.documents import Process
from relance.languages.cwl.given import Given, NoFileError
from relance.languages.cwl.model import (
    Binding,
    Default,
    Input,
    Output,
    Plain,
    Secondary,
    Tool,
)
from relance.languages.cwl.requirements import Requirements
from relance.languages.references import Part

_KEYS = (
    "class",
    "cwlVersion",
    "inputs",
    "outputs",
    "requirements",
    "hints",
    "baseCommand",
    "arguments",
    "stdin",
    "stdout",
    "stderr",
    "successCodes",
    "temporaryFailCodes",
    "permanentFailCodes",
)
_STREAMS = ("stdout", "stderr")


def read(process: Process, inherited: Requirements, given: Given) -> tuple[Tool, Requirements]:
    """Return a tool and what is in force in it.

    Raises:
        UnsupportedError: something in it can't be compiled; file and line are told.
        InputError: a default is a file that isn't there.
    """
    part, version = process.part, process.version
    limits.only(part, "a tool", *_KEYS)
    needs = inherited.within(part)
    streams = {key: _text(part, key, version) for key in ("stdin", *_STREAMS)}
    inputs = []
    for name, one in documents.listed(part.get("inputs"), "id"):
        if one.value == "stdin":
            streams["stdin"] = f"$(inputs['{documents.local(name)}'].path)"
        inputs.append(read_input(name, one, version, given, needs.types))
    outputs = []
    for name, one in documents.listed(part.get("outputs"), "id"):
        kind = one.value if isinstance(one.value, str) else one.need("type", "an output").value
        if isinstance(kind, str) and kind in _STREAMS:
            streams[kind] = streams[kind] or f"{documents.local(name)}.{kind}"
            outputs.append(Output(documents.local(name), Plain("File"), (streams[kind] or "",)))
        else:
            outputs.append(_output(documents.local(name), one, version, needs.types))
    command = part.get("baseCommand")
    arguments = part.get("arguments")
    tool = Tool(
        part.origin,
        version,
        tuple(inputs),
        tuple(outputs),
        command=() if command is None else _several(command),
        arguments=() if arguments is None else tuple(_argument(one, version) for one in arguments.each()),
        stdin=streams["stdin"],
        stdout=streams["stdout"],
        stderr=streams["stderr"],
        image=needs.image(),
        environment=needs.environment(version),
        staged=needs.staged(version),
        resources=needs.resources(version),
        shell=needs.get("ShellCommandRequirement") is not None,
        success=tuple(part.mapping().get("successCodes") or ()),
    )
    return tool, needs


def read_input(name: str, part: Part, version: str, given: Given, known: Mapping[str, Part]) -> Input:
    """Return an input of a tool or workflow; `known` has types by their names.

    Raises:
        UnsupportedError: something in it can't be compiled.
        InputError: its default is a file that isn't there.
    """
    name = documents.local(name)
    if not isinstance(part.value, dict):
        stdin = part.value == "stdin"
        return Input(name, Plain("File") if stdin else types.read(part, version, known))
    keys = ("type", "inputBinding", "default", "secondaryFiles", "format", "streamable", "loadContents")
    limits.only(part, f"the input '{name}'", *keys)
    kind = part.need("type", "an input")
    if isinstance(kind.value, dict) and kind.value.get("type") == "record":
        _no_files_beside(kind)
    beside = secondary(part, required=True)
    bound = part.get("inputBinding")
    default = None
    if "default" in part.mapping():
        sources = part.sources
        # A default that isn't there is none: many documents name a file of their author's.
        with contextlib.suppress(NoFileError):
            value = given.default(part.mapping()["default"], part.folder, sources.toplevel, beside)
            default = Default(value)
    contents = bool(part.mapping().get("loadContents"))
    if bound is not None:
        contents = contents or bool(bound.mapping().get("loadContents"))
    return Input(
        name,
        Plain("File") if kind.value == "stdin" else types.read(kind, version, known),
        None if bound is None else types.binding(bound, version),
        default,
        beside,
        contents,
    )


def secondary(part: Part, *, required: bool) -> tuple[Secondary, ...]:
    """Return the files beside the files of an input or output.

    Raises:
        UnsupportedError: they are named by an expression.
    """
    several = part.get("secondaryFiles")
    if several is None:
        return ()
    found = []
    for one in several.each() if isinstance(several.value, list) else (several,):
        whole = isinstance(one.value, dict)
        pattern = (one.need("pattern", "a file beside another") if whole else one).text()
        needed = one.mapping().get("required") if whole else None
        if pattern.endswith("?"):
            pattern, needed = pattern[:-1], False
        if "$" in pattern or isinstance(needed, str):
            raise limits.unsupported(
                one,
                "a file beside another is named by an expression",
                found=limits.brief(pattern),
                expected="an ending",
            )
        found.append(Secondary(pattern, required if needed is None else needed))
    return tuple(found)


def _output(name: str, part: Part, version: str, known: Mapping[str, Part]) -> Output:
    if not isinstance(part.value, dict):
        return Output(name, types.read(part, version, known))
    limits.only(
        part, f"the output '{name}'", "type", "outputBinding", "secondaryFiles", "format", "streamable"
    )
    kind = types.read(part.need("type", "an output"), version, known)
    beside = secondary(part, required=False)
    bound = part.get("outputBinding")
    if bound is None:
        return Output(name, kind, secondary=beside)
    limits.only(bound, f"the output '{name}'", "glob", "loadContents", "outputEval")
    glob, evaluated = bound.get("glob"), bound.get("outputEval")
    globs: tuple[str, ...] = ()
    if glob is not None:
        several = glob.each() if isinstance(glob.value, list) else (glob,)
        globs = tuple(limits.text(one, version) for one in several)
    return Output(
        name,
        kind,
        globs,
        None if evaluated is None else limits.text(evaluated, version),
        bool(bound.mapping().get("loadContents")),
        beside,
    )


def _argument(part: Part, version: str) -> Binding:
    if isinstance(part.value, dict):
        return types.binding(part, version)
    return Binding(value=limits.text(part, version))


def _several(part: Part) -> tuple[str, ...]:
    return tuple(one.text() for one in part.each()) if isinstance(part.value, list) else (part.text(),)


def _text(part: Part, key: str, version: str) -> str | None:
    one = part.get(key)
    return None if one is None else limits.text(one, version)


def _no_files_beside(part: Part) -> None:
    for _, one in documents.listed(part.get("fields"), "name"):
        if isinstance(one.value, dict) and "secondaryFiles" in one.value:
            raise limits.unsupported(
                one, "a field has files beside it", found="secondaryFiles", expected="them at an input"
            )
