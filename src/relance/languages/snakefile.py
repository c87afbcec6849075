"""Compiles a workflow into an analysis for Snakemake: a Snakefile to read, and what it needs to run."""

from __future__ import annotations

import dataclasses
import json
import keyword
import re
from importlib import resources
from pathlib import Path

import yaml

from relance.errors import InputError
from relance.languages import onreana, shells, workspaces
from relance.languages.encoding import encode
from relance.languages.literals import line, literal, quoted
from relance.languages.model import (
    Case,
    Command,
    Commands,
    Container,
    Json,
    Script,
    Step,
    Workflow,
)
from relance.languages.support import patterns, publishing
from relance.languages.workspaces import NOTHING, Taken

_HEAD = """# Compiled from {source} by relance: one rule for each step, with the step's own command.
# What stages wait for, choose and publish is in workflow.json; support/ decides by it which jobs there are.
import sys
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(workflow.basedir)))
from support.rules import Rules


configfile: "config.yaml"


RULES = Rules(Path.cwd(), config, checkpoints)
"""


# Snakemake's own choice, bash, isn't in every step's image.
_SHELL = 'shell.executable("/bin/sh")'
_OUTPUTS = "outputs"


@dataclasses.dataclass(frozen=True)
class Compiled:
    """The files of a compiled analysis, by their paths."""

    files: dict[str, str]


def compiled(
    workflow: Workflow,
    source: str,
    parameters: dict[str, Json],
    *,
    inputs: str = "init",
    taken: Taken = NOTHING,
) -> Compiled:
    """Compile a workflow.

    Args:
        workflow: as it was read.
        source: the name of its file.
        parameters: what it is run with.
        inputs: the folder of the files that it is given.
        taken: what is taken out of the folder that its steps share, if they do.

    Raises:
        InputError: something in it can't be compiled; file and line are told.
    """
    jobs = patterns.jobs(workflow)
    searching = patterns.searching(workflow)
    rules = names(workflow)
    late = (*(pattern for pattern, steps in jobs.items() if _publishes_late(steps)), *searching)
    parts = [
        _HEAD.format(source=line(source)),
        *_shells(jobs, publishing_late=bool(late)),
        _constraints(jobs),
        _all(jobs, late) if taken == NOTHING else _taken(taken),
    ]
    for pattern, steps in jobs.items():
        if any(_runs(step) for step in steps):
            parts.append(_rule(pattern, rules[pattern], steps))
        if pattern in late:
            parts.append(_checkpoint(pattern, f"published__{rules[pattern]}", _looking(steps, jobs)))
    for pattern in searching:
        parts.append(_checkpoint(pattern, f"published__{rules[pattern]}", _looking((), jobs)))
    if taken != NOTHING:
        pattern, steps = list(jobs.items())[-1]
        parts.append(workspaces.outputs(_OUTPUTS, pattern, _container(pattern, list(steps)), taken))
    content = json.dumps(encode(_without_texts(workflow)), indent=1) + "\n"
    files = {
        "Snakefile": "\n\n".join(part.strip("\n") + "\n" for part in parts if part),
        "workflow.json": content,
        "config.yaml": yaml.safe_dump(
            {"parameters": parameters, "inputs": inputs, "images": {}}, sort_keys=False, allow_unicode=True
        ),
    }
    return Compiled({**files, **_support()})


def _shells(jobs: dict[str, tuple[Step, ...]], *, publishing_late: bool) -> list[str]:
    """Return the shell texts that the rules share."""
    steps = [step for several in jobs.values() for step in several]
    running = [step.process for step in steps if _runs(step)]
    found = []
    if any(isinstance(process, Commands) for process in running):
        found += [f'SERIAL = r"""{shells.SERIAL}"""', f'OUTPUTS = r"""{shells.OUTPUTS}"""']
    if any(_mounts(step) for step in steps if _runs(step)):
        found.append(f'MOUNTS = r"""{shells.MOUNTS}"""')
    if any(isinstance(process, Command) for process in running):
        found.append(f'COMMAND = r"""{shells.COMMAND}"""')
    if any(isinstance(process, Script) for process in running):
        found.append(f'SCRIPT = r"""{shells.SCRIPT}"""')
    if publishing_late:
        found.append(f'PUBLISH = r"""{shells.PUBLISH}"""')
    if not any(isinstance(process, Commands) for process in running):
        found.insert(0, _SHELL)
    return ["\n".join(found)] if found else []


def _support() -> dict[str, str]:
    """Return the modules that a compiled workflow brings, under names that don't need relance."""
    package = resources.files("relance.languages")
    found = {}
    for folder in (package, package / "support"):
        for item in folder.iterdir():
            if item.name.endswith(".py") and (folder != package or item.name in {"model.py", "encoding.py"}):
                text = item.read_text("utf-8").replace("relance.languages.support", "support")
                found[f"support/{item.name}"] = text.replace("relance.languages", "support")
    return dict(sorted(found.items()))


def names(workflow: Workflow) -> dict[str, str]:
    """Return the names of a workflow's rules, by the patterns of their folders."""
    found: dict[str, str] = {}
    for pattern in (*patterns.jobs(workflow), *patterns.searching(workflow)):
        stem = re.sub(r"\W", "_", "__".join(patterns.stages(pattern)), flags=re.ASCII)
        if stem[0].isdigit() or keyword.iskeyword(stem) or stem in {"all", _OUTPUTS}:
            stem = f"step_{stem}"
        name, number = stem, 1
        while name in found.values():
            number += 1
            name = f"{stem}_{number}"
        found[pattern] = name
    return found


def _looking(steps: tuple[Step, ...], jobs: dict[str, tuple[Step, ...]]) -> tuple[Step, ...]:
    """Return steps in whose image somebody can look for what was published: any, where none runs."""
    running = tuple(step for step in steps if _runs(step))
    return running or tuple(step for several in jobs.values() for step in several)


def _constraints(jobs: dict[str, tuple[Step, ...]]) -> str:
    wildcards = sorted({name for pattern in jobs for name in re.findall(r"\{(n[0-9]+)\}", pattern)})
    if not wildcards:
        return ""
    return "\n".join(["wildcard_constraints:", *(f'    {name}=r"\\d+",' for name in wildcards)])


def _all(jobs: dict[str, tuple[Step, ...]], late: tuple[str, ...]) -> str:
    lines = ["rule all:", "    input:"]
    for pattern, steps in jobs.items():
        if any(_runs(step) for step in steps):
            lines.append(f"        RULES.every({quoted(pattern)}),")
    lines += [f"        RULES.every_published({quoted(pattern)})," for pattern in late]
    return "\n".join([*lines, "    default_target: True"])


def _taken(taken: Taken) -> str:
    paths = (*taken.apart.files, *taken.apart.folders)
    lines = [f"        {quoted(f'{workspaces.PLACE}/{path}')}," for path in paths]
    return "\n".join(["rule all:", "    input:", *lines, "    default_target: True"])


def _rule(pattern: str, name: str, steps: tuple[Step, ...]) -> str:
    running = [step for step in steps if _runs(step)]
    scripted = any(isinstance(step.process, Script) for step in running)
    lines = []
    for step in running:
        lines.append(f"# {line(step.origin.file)}:{step.origin.line}")
        if isinstance(step.environment, Container):
            needed = [one for one in step.environment.resources if not onreana.is_way(one)]
            lines += [f"# needs {line(one)} from outside" for one in needed]
    if isinstance(running[0].process, Commands):
        shared = workspaces.rule(name, pattern, _container(pattern, running), running[0].process.texts)
        return "\n".join([*lines, *shared])
    stage = quoted(pattern)
    texts = "".join(f"\n            {_literal(step)}," for step in steps)
    commands = f"{stage},{texts}\n        " if not scripted else f"{stage}, {', '.join(_only(steps))}"
    lines += [
        f"rule {name}:",
        "    input:",
        f"        RULES.inputs({stage}),",
        "    output:",
        f"        directory({quoted(f'workdir/{pattern}')}),",
        "    log:",
        f"        {quoted(f'logs/{pattern}.log')},",
        *_container(pattern, running),
        *onreana.lines(_resources(running)),
        "    params:",
        f"        command=RULES.command({commands}),",
    ]
    if scripted:
        lines.append(f"        script=RULES.script({stage},{texts}\n        ),")
    mounted = any(map(_mounts, running))
    if mounted:
        lines.append(f"        mounts=RULES.mounts({stage}),")
    lines += [
        f"        place=RULES.place({stage}),",
        f"        promised=RULES.promised({stage}),",
        "    shell:",
        f"        {'MOUNTS + ' if mounted else ''}{'SCRIPT' if scripted else 'COMMAND'}",
    ]
    return "\n".join(lines)


def _checkpoint(pattern: str, name: str, steps: tuple[Step, ...]) -> str:
    stage = quoted(pattern)
    images = [step.environment.reference for step in steps if isinstance(step.environment, Container)]
    container = [f"        RULES.image({quoted(f'docker://{image}')})," for image in images[:1]]
    return "\n".join(
        [
            f"checkpoint {name}:",
            "    input:",
            f"        RULES.publishing({stage}),",
            "    output:",
            f"        RULES.checkpoint({stage}, {quoted(name)}),",
            *(["    container:", *container] if images else []),
            "    params:",
            f'        exists=RULES.asked({stage}, "exists"),',
            f'        matches=RULES.asked({stage}, "matches"),',
            f'        texts=RULES.asked({stage}, "texts"),',
            "    shell:",
            "        PUBLISH",
        ]
    )


def _container(pattern: str, steps: list[Step]) -> list[str]:
    images = {
        step.environment.reference if isinstance(step.environment, Container) else None for step in steps
    }
    if images == {None}:
        return []
    if None in images:
        origin = steps[0].origin
        raise InputError(
            f"{origin.file}:{origin.line}: cases of one stage run in containers and as processes",
            expected="one of both",
            found="both",
            next_step="give each case an image",
        )
    if len(images) == 1:
        return ["    container:", f"        RULES.image({quoted(f'docker://{images.pop()}')}),"]
    return ["    container:", f"        RULES.container({quoted(pattern)})"]


def _resources(steps: list[Step]) -> list[str]:
    containers = [step.environment for step in steps if isinstance(step.environment, Container)]
    return [name for container in containers for name in container.resources]


def _mounts(step: Step) -> bool:
    return isinstance(step.environment, Container) and bool(step.environment.mounts)


def _runs(step: Step) -> bool:
    return step.process is not None and step.environment is not None


def _publishes_late(steps: tuple[Step, ...]) -> bool:
    return not all(publishing.known_before(step) for step in steps)


def _only(steps: tuple[Step, ...]) -> list[str]:
    """Return the texts of commands, nothing in place of scripts."""
    return ['""' if isinstance(step.process, Script) else _literal(step) for step in steps]


def _literal(step: Step) -> str:
    """Return the text of a step's process as Python would write it."""
    return literal(step.process.text if isinstance(step.process, (Command, Script)) else "")


def _without_texts(workflow: Workflow) -> Workflow:
    """Return a workflow whose commands are left to the Snakefile."""

    def case(one: Case) -> Case:
        if one.workflow is not None:
            return dataclasses.replace(one, workflow=_without_texts(one.workflow))
        if one.step is None or one.step.process is None:
            return one
        process: Command | Script | Commands
        if isinstance(one.step.process, Commands):
            process = dataclasses.replace(one.step.process, texts=())
        else:
            process = dataclasses.replace(one.step.process, text="")
        return dataclasses.replace(one, step=dataclasses.replace(one.step, process=process))

    stages = (dataclasses.replace(stage, cases=tuple(map(case, stage.cases))) for stage in workflow.stages)
    return Workflow(tuple(stages))


def check_free(folder: Path) -> None:
    """Refuse a folder that something is in.

    Raises:
        InputError: something is there.
    """
    if folder.exists() and any(folder.iterdir()):
        raise InputError(
            f"{folder} isn't empty", expected="a new or empty folder", found="files", next_step="name another"
        )


def write(analysis: Compiled, folder: Path) -> None:
    """Write a compiled analysis into a folder."""
    for name, text in analysis.files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
