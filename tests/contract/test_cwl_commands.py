"""The words of commands are those that cwltool makes, for tools and values of all kinds."""

import json
import logging
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from relance.languages.cwl import documents, workflows
from relance.languages.cwl.given import Given
from relance.languages.cwl.support import binding
from relance.languages.cwl.support.places import Places
from relance.languages.cwl.support.planning import Planner

TEXTS = st.text(st.sampled_from("ab *'\"$\\;&|é"), min_size=1, max_size=4)
PREFIXES = st.sampled_from(["-x", "--long", "--equals="])
SCALARS = {
    "string": TEXTS,
    "int": st.integers(-(10**6), 10**6),
    "double": st.sampled_from([0.5, -2.25, 0.0001, 139.0]),
    "boolean": st.booleans(),
}


@st.composite
def bindings(draw: st.DrawFn) -> dict[str, Any]:
    found: dict[str, Any] = draw(
        st.fixed_dictionaries(
            {}, optional={"position": st.integers(-2, 3), "prefix": PREFIXES, "itemSeparator": st.just(",")}
        )
    )
    if "prefix" in found and draw(st.booleans()):
        found["separate"] = False
    if draw(st.integers(0, 5)) == 0:
        found["valueFrom"] = draw(
            st.sampled_from(["plain", "$(self)", "of $(inputs.zero)", "a \\$(b) $(inputs.zero)"])
        )
    return found


@st.composite
def typed(draw: st.DrawFn, depth: int = 2) -> tuple[Any, Any]:
    """Give a type with a value of it."""
    kind = draw(st.sampled_from([*SCALARS, *(["array", "record", "enum", "optional"] if depth else [])]))
    bound = {"inputBinding": draw(bindings())} if draw(st.integers(0, 2)) == 0 else {}
    if kind == "array":
        items, value = draw(typed(depth - 1))
        return {"type": "array", "items": items, **bound}, [value] * draw(st.integers(0, 2))
    if kind == "record":
        names = draw(st.lists(st.sampled_from(["left", "right", "Up"]), unique=True, min_size=1))
        fields, values = {}, {}
        for name in names:
            field, values[name] = draw(typed(depth - 1))
            own = {"inputBinding": draw(bindings())} if draw(st.booleans()) else {}
            fields[name] = {"type": field, **own}
        return {"type": "record", "fields": fields, **bound}, values
    if kind == "enum":
        return {"type": "enum", "symbols": ["one", "two"], **bound}, draw(st.sampled_from(["one", "two"]))
    if kind == "optional":
        inner, value = draw(typed(0))
        return ["null", inner], draw(st.sampled_from([None, value]))
    return kind, draw(SCALARS[kind])


@st.composite
def tools(draw: st.DrawFn) -> tuple[dict[str, Any], dict[str, Any]]:
    """Give a tool with what it is given."""
    inputs: dict[str, Any] = {"zero": {"type": "int"}}
    values: dict[str, Any] = {"zero": 0}
    for name in draw(st.lists(st.sampled_from(["a", "b", "B", "c1"]), unique=True, max_size=3)):
        kind, values[name] = draw(typed())
        inputs[name] = {
            "type": kind,
            **({"inputBinding": draw(bindings())} if draw(st.integers(0, 3)) else {}),
        }
    tool: dict[str, Any] = {"cwlVersion": draw(st.sampled_from(["v1.1", "v1.2"])), "class": "CommandLineTool"}
    tool |= {"baseCommand": ["echo"], "inputs": inputs, "outputs": {}}
    tool["arguments"] = draw(
        st.lists(st.one_of(TEXTS.map(lambda text: f"{text}$(inputs.zero)"), st.just("-v")), max_size=2)
    )
    if draw(st.booleans()):
        tool["requirements"] = {"ShellCommandRequirement": {}}
    return tool, values


def theirs(values: dict[str, Any], folder: Path) -> list[str]:
    """Return the words that cwltool makes."""
    from cwltool.context import LoadingContext, RuntimeContext
    from cwltool.load_tool import load_tool
    from cwltool.workflow import default_make_tool

    logging.getLogger("cwltool").setLevel(logging.ERROR)
    loading = LoadingContext({"construct_tool_object": default_make_tool})
    prefixes = dict.fromkeys(("tmpdir_prefix", "tmp_outdir_prefix"), str(folder / "tmp"))
    context = RuntimeContext(
        {"use_container": False, "outdir": str(folder), "basedir": str(folder), **prefixes}
    )
    job = next(iter(load_tool(str(folder / "tool.cwl"), loading).job(values, None, context)))
    return list(map(str, job.command_line))


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(tools())
def test_a_command_has_the_words_that_cwltool_makes(example: tuple[dict[str, Any], dict[str, Any]]) -> None:
    tool, values = example
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        (folder / "tool.cwl").write_text(json.dumps(tool), "utf-8")
        workflow = workflows.read(documents.root(folder, "tool.cwl"), Given()).workflow
        call = Planner(workflow, values, Places(folder)).job((("tool", None),)).call
        assert binding.words(call.tool, call.about) == theirs(values, folder)
