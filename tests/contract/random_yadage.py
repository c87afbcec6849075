"""Makes up small workflows of yadage that run as processes: every scheduler but jq, nested, with cases."""

import re
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

WORDS = st.sampled_from(["a", "b c", "x-1", "data.root", "é", "0", "*.none", "=", "~"])
NUMBERS = st.sampled_from([0, 1, -3, 10**16, 2.0, 0.5, 1e-07, 1e22])
LEAVES = WORDS | NUMBERS
CONSTANTS = st.sampled_from(["1", "0", '"a"'])
LISTS = st.lists(LEAVES | st.sampled_from([True, False, None]), min_size=1, max_size=3)


@dataclass(frozen=True)
class Output:
    """Something that the jobs of a stage publish."""

    query: str
    """The stage, as a selector names it."""
    name: str
    listed: bool
    many: bool


@dataclass
class Known:
    """What a stage can choose from so far."""

    outputs: list[Output]


@st.composite
def workflows(draw: st.DrawFn) -> tuple[dict[str, Any], dict[str, Any]]:
    """Give a workflow and its parameters."""
    parameters = {"word": draw(LEAVES), "several": draw(LISTS), "pairs": draw(st.lists(LISTS, max_size=2))}
    known = Known([Output("init", "word", listed=False, many=False)])
    known.outputs.append(Output("init", "several", listed=True, many=False))
    return draw(_stages(known, depth=draw(st.integers(0, 2)))), parameters


@st.composite
def _stages(draw: st.DrawFn, known: Known, depth: int) -> dict[str, Any]:
    stages = []
    for number in range(draw(st.integers(1, 3 if depth else 2))):
        stages.append(draw(_stage(known, f"s{number}", depth)))
    return {"stages": stages}


@st.composite
def _parameters(draw: st.DrawFn, known: Known) -> tuple[dict[str, Any], list[str], set[str]]:
    """Give parameters, which of them surely are lists, and which stages they come from."""
    parameters: dict[str, Any] = {}
    lists: list[str] = []
    waits: set[str] = set()
    for key in draw(st.lists(st.sampled_from(["p", "q", "r"]), min_size=1, max_size=3, unique=True)):
        chosen = draw(st.sampled_from([None, *known.outputs]))
        listed = draw(st.booleans())
        if chosen is None:
            parameters[key] = draw(LISTS if listed else LEAVES)
        else:
            parameters[key], listed = draw(_selector(chosen))
            # Of a nested workflow's stage alone, yadage takes what is there when the first of them is.
            waits.add(re.split(r"\W", chosen.query)[0])
        lists += [key] if listed else []
    return parameters, lists, waits


@st.composite
def _stage(draw: st.DrawFn, known: Known, name: str, depth: int) -> dict[str, Any]:
    parameters, lists, waits = draw(_parameters(known))
    scheduler: dict[str, Any] = {"scheduler_type": "singlestep-stage"}
    if lists and draw(st.booleans()):
        scheduler = draw(_scatter(lists))
    nested = depth > 0 and draw(st.booleans())
    if not nested:
        parameters["place"] = "{workdir}"
    keys = list(parameters)
    if draw(st.booleans()):
        scheduler["parameters"] = [{"key": key, "value": _long(value)} for key, value in parameters.items()]
    else:
        scheduler["parameters"] = parameters
    many = scheduler["scheduler_type"] == "multistep-stage"
    if nested:
        inner = Known([Output("init", key, listed=False, many=False) for key in keys])
        scheduler["workflow"] = draw(_stages(inner, depth - 1))
        scheduler["workflow_opts"] = {"discover": draw(st.booleans()), "relative": draw(st.booleans())}
        for one in inner.outputs:
            if one.query != "init":
                query = f"{name}{draw(st.sampled_from(['[*]', '.[*]']))}.{one.query}"
                known.outputs.append(Output(query, one.name, one.listed, many=True))
    else:
        step, outputs = draw(_step(keys))
        if draw(st.booleans()):
            other, same = draw(_step(keys))
            outputs = [one for one in outputs if one in same]
            condition = f".{keys[0]} == {draw(CONSTANTS)}"
            scheduler["cases"] = [{"if": condition, "step": step}, {"if": "true", "step": other}]
        else:
            scheduler["step"] = step
        known.outputs += [Output(name, output, listed, many) for output, listed in outputs]
    return {"name": name, "dependencies": sorted(waits), "scheduler": scheduler}


def _long(value: Any) -> Any:
    """Return a parameter as it is written where parameters are a list."""
    if isinstance(value, dict):
        return {"expression_type": "stage-output-selector", **value}
    return value


@st.composite
def _selector(draw: st.DrawFn, output: Output) -> tuple[dict[str, Any], bool]:
    if not output.many and draw(st.booleans()):
        return {"step": output.query, "output": output.name}, output.listed
    said = {"stages": output.query, "output": output.name}
    if draw(st.booleans()):
        said = {"steps": output.query, "output": output.name}
    flatten = draw(st.booleans())
    unwrap = not output.many and draw(st.booleans())
    options = {"flatten": flatten, "unwrap": unwrap}
    return {**said, **options}, not unwrap or (output.listed and not flatten)


@st.composite
def _scatter(draw: st.DrawFn, lists: list[str]) -> dict[str, Any]:
    method = draw(st.sampled_from(["zip", "cartesian"]))
    # Lists whose lengths only the run tells might differ, which is an error here and none in yadage.
    chosen = lists[: 1 if method == "zip" else 2]
    found = {
        "scheduler_type": "multistep-stage",
        "scatter": {"method": method, "parameters": chosen},
    }
    group = draw(st.sampled_from([None, "batchsize", "partitionsize"]))
    if group:
        found[group] = draw(st.integers(1, 3))
    return found


@st.composite
def _step(draw: st.DrawFn, keys: list[str]) -> tuple[dict[str, Any], list[tuple[str, bool]]]:
    first = keys[0]
    shown = " ".join(f"'{{{key}}}'" for key in keys)
    text = f'cd "{{place}}" && echo {shown} > one.txt && echo two > two.txt && cp two.txt "three 3.txt" && '
    text += "printf 'number: 3\\nlist: [x, 2.50, two.txt]\\npattern: t*.txt\\n' > said.yml"
    publisher, outputs = draw(
        st.sampled_from(
            [
                (
                    {"publisher_type": "frompar-pub", "outputmap": {"out": first, "deep": {"er": first}}},
                    [("out", False), ("deep.er", False)],
                ),
                (
                    {
                        "publisher_type": "interpolated-pub",
                        "publish": {"out": "{workdir}/one.txt", "list": ["{" + first + "}!", "-", 7]},
                    },
                    [("out", False), ("list", True)],
                ),
                (
                    {
                        "publisher_type": "interpolated-pub",
                        "publish": {"out": "*.txt", "list": ["said.*"]},
                        "glob": True,
                        "relative_paths": True,
                    },
                    [("out", True), ("list", True)],
                ),
                (
                    {"publisher_type": "fromparjq-pub", "script": "{out: ., list: [.place]}"},
                    [("out", False), ("list", True)],
                ),
                (
                    {"publisher_type": "fromyaml-pub", "yamlfile": "said.yml"},
                    [("number", False), ("list", True), ("pattern", False)],
                ),
                (
                    {"publisher_type": "fromglob-pub", "globexpression": "*.txt", "outputkey": "out"},
                    [("out", True)],
                ),
                (
                    {"publisher_type": "constant-pub", "publish": {"out": "fix", "list": [1, None, "none"]}},
                    [("out", False), ("list", True)],
                ),
            ]
        )
    )
    process = {"process_type": "string-interpolated-cmd", "cmd": text}
    step = {"process": process, "environment": {"environment_type": "localproc-env"}, "publisher": publisher}
    return step, outputs
