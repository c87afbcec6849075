"""Compiles a workflow into an analysis for Snakemake: one rule for each tool that it runs."""

from __future__ import annotations

import json
import keyword
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources

import yaml

from relance.languages.cwl.model import Tool, Workflow
from relance.languages.cwl.support import outputs
from relance.languages.encoding import encode
from relance.languages.model import Json

_HEAD = """# Compiled from {source} by relance: one rule for each tool that it runs.
# What the steps hand to each other is in workflow.json; support/ makes commands of it.
import sys
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(workflow.basedir)))
from support.rules import Rules


configfile: "config.yaml"


RULES = Rules(Path.cwd(), config, checkpoints, late={late})
shell.executable("/bin/sh")  # images need no bash
# Paths in commands begin with a sign for the folder, so that no job depends on where that is.
COMMAND = r\"\"\"
set -eu
log={{log}}; temporary=$PWD/{{output}}.temporary
trap 'rm -rf "$temporary"' EXIT
mkdir -p {{output}} "$temporary" "${{{{log%/*}}}}"
here=$(printf '%s\\n' "$PWD" | sed 's/[&|\\]/\\\\&/g')
text=$(printf '%s\\n' {{params.command:q}} | sed "s|/@tmp@|$here/{{output}}.temporary|g; s|/@work@|$here|g")
(cd {{output}} && sh -c "$text") > {{log}} 2>&1
for path in {{params.promised:q}}; do
    [ -e "$path" ] || {{{{ printf "%s is an output and wasn't written\\n" "$path" >&2; exit 1; }}}}
done
\"\"\"
"""
_ALL = """rule all:
    default_target: True
    input:
        "outputs.json",
"""
_USUAL = (256, 1024)
"""Memory in MiB that is meant where nothing is asked for."""
_COLLECT = """COLLECT = r\"\"\"
set -eu
mkdir -p {output.folder}
sh -ec {params.copies:q}
printf '%s\\n' {params.told:q} > {output.told}
\"\"\"
"""


@dataclass(frozen=True)
class _Rule:
    """A tool in its place."""

    pattern: str
    name: str
    tool: Tool
    late: bool


def files(workflow: Workflow, source: str, parameters: dict[str, Json]) -> dict[str, str]:
    """Return the files of the compiled workflow, by their paths.

    Args:
        workflow: What to compile.
        source: The name of its file.
        parameters: What it is run with; files lie at their paths in the compiled folder.
    """
    rules = _rules(workflow)
    late = {rule.pattern: rule.name for rule in rules if rule.late}
    parts = [_HEAD.format(source=_line(source), late=json.dumps(late)) + _COLLECT, *_constraints(rules)]
    parts += [_ALL, _collecting(rules), *map(_rule, rules)]
    config = {"parameters": parameters, "images": {}}
    return {
        "Snakefile": "\n\n".join(part.strip("\n") + "\n" for part in parts),
        "workflow.json": json.dumps(encode(workflow), indent=1, sort_keys=True) + "\n",
        "config.yaml": yaml.safe_dump(config, sort_keys=False, allow_unicode=True),
        **_support(),
    }


def images(workflow: Workflow) -> dict[str, str | None]:
    """Return the image of each rule; None where a tool runs as a process."""
    return {rule.name: rule.tool.image for rule in _rules(workflow)}


def _support() -> dict[str, str]:
    """Return the modules that a compiled workflow brings, under names that don't need relance."""
    package = resources.files("relance.languages")
    sources = {
        "cwl.py": package / "cwl" / "model.py",
        "model.py": package / "model.py",
        "encoding.py": package / "encoding.py",
    }
    for item in (package / "cwl" / "support").iterdir():
        if item.name.endswith(".py"):
            sources[item.name] = item
    names = (
        ("from relance.languages.cwl import model", "from support import cwl as model"),
        ("relance.languages.cwl.support", "support"),
        ("relance.languages.cwl.model", "support.cwl"),
        ("relance.languages", "support"),
    )
    found = {}
    for name, item in sources.items():
        text = item.read_text("utf-8")
        for ours, theirs in names:
            text = text.replace(ours, theirs)
        found[f"support/{name}"] = text
    return dict(sorted(found.items()))


def _rules(workflow: Workflow) -> list[_Rule]:
    found: list[_Rule] = []
    taken = {"all", "outputs"}
    for pattern, tool in _tools(workflow, "", 0):
        stem = re.sub(r"\W", "_", "__".join(_steps(pattern)), flags=re.ASCII)
        if stem[0].isdigit() or keyword.iskeyword(stem) or stem in taken:
            stem = f"step_{stem}"
        name, number = stem, 1
        while name in taken:
            number += 1
            name = f"{stem}_{number}"
        taken.add(name)
        found.append(_Rule(pattern, name, tool, workflow.watched or _late(tool)))
    return found


def _tools(workflow: Workflow, above: str, depth: int) -> Iterator[tuple[str, Tool]]:
    """Give the tools of a workflow with the patterns of their jobs."""
    for step in workflow.steps:
        pattern = f"{above}{step.name}" + (f"/{{n{depth}}}" if step.scatter else "")
        if isinstance(step.runs, Tool):
            yield pattern, step.runs
        else:
            yield from _tools(step.runs, f"{pattern}/", depth + 1)


def _late(tool: Tool) -> bool:
    """Return whether what a tool leaves is known only once it has run."""
    return not all(outputs.predictable(one, tool.version) for one in tool.outputs)


def _constraints(rules: list[_Rule]) -> list[str]:
    wildcards = sorted({name for rule in rules for name in re.findall(r"\{(n[0-9]+)\}", rule.pattern)})
    if not wildcards:
        return []
    return ["\n".join(["wildcard_constraints:", *(f'    {name}=r"\\d+",' for name in wildcards)])]


def _collecting(rules: list[_Rule]) -> str:
    images = [rule.tool.image for rule in rules if rule.tool.image is not None]
    return "\n".join(
        [
            "rule outputs:",
            "    input:",
            *(f"        RULES.every({_quoted(rule.pattern)})," for rule in rules),
            "        RULES.results,",
            "    output:",
            '        folder=directory("outputs"),',
            '        told="outputs.json",',
            *(_container(images[-1]) if images and len(images) == len(rules) else []),
            "    params:",
            "        copies=RULES.copies,",
            "        told=RULES.told,",
            "    shell:",
            "        COLLECT",
        ]
    )


def _container(image: str) -> list[str]:
    return ["    container:", f"        RULES.image({_quoted(f'docker://{image}')})"]


def _rule(rule: _Rule) -> str:
    tool = rule.tool
    place = _quoted(rule.pattern)
    lines = [f"# {_line(tool.origin.file)}:{tool.origin.line}: {_line(_written(tool))}"]
    lines += [
        f"{'checkpoint' if rule.late else 'rule'} {rule.name}:",
        "    input:",
        f"        RULES.inputs({place}),",
        "    output:",
        f"        directory({_quoted(f'workdir/{rule.pattern}')}),",
        "    log:",
        f"        {_quoted(f'logs/{rule.pattern}.log')},",
    ]
    if tool.image is not None:
        lines += _container(tool.image)
    if tool.resources.cores != 1:
        lines += ["    threads: RULES.threads(" + place + ")"]
    if tool.resources.ram not in _USUAL:
        lines += ["    resources:", f"        mem_mb=RULES.memory({place}),"]
    lines += [
        "    params:",
        f"        command=RULES.command({place}),",
        f"        promised=RULES.promised({place}),",
        "    shell:",
        "        COMMAND",
    ]
    return "\n".join(lines)


def _written(tool: Tool) -> str:
    """Return a tool's command as its author wrote it, for readers."""
    words: list[tuple[Json, str]] = []
    bound = [(one, one.value or "") for one in tool.arguments]
    bound += [(one.binding, f"$(inputs.{one.name})") for one in tool.inputs if one.binding is not None]
    for binding, value in bound:
        text = binding.value or value
        joined = " " if binding.separate else ""
        words.append((binding.position, f"{binding.prefix or ''}{joined if binding.prefix else ''}{text}"))
    words.sort(key=lambda one: one[0] if isinstance(one[0], int) else 0)
    text = " ".join([*map(shlex.quote, tool.command), *(word for _, word in words)])
    for sign, name in (("<", tool.stdin), (">", tool.stdout), ("2>", tool.stderr)):
        text += f" {sign} {name}" if name else ""
    return text


def _steps(pattern: str) -> list[str]:
    return [part for part in pattern.split("/") if not part.startswith("{")]


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False) if text.isprintable() else repr(text)


def _line(text: str) -> str:
    """Return a text on one line, fit for a comment."""
    return " ".join(text.split())
