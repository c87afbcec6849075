"""Reads workflows of yadage: what its shorthand stands for; what isn't supported is refused by line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from relance.languages.model import (
    Case,
    Command,
    Constant,
    Container,
    FromGlob,
    FromJq,
    FromParameters,
    FromValue,
    FromYaml,
    Fulfilled,
    Interpolated,
    Json,
    Literal,
    Local,
    Mount,
    Parameter,
    PlanError,
    Ready,
    Scatter,
    Script,
    Scripted,
    Selector,
    Single,
    Stage,
    Step,
    Workflow,
)
from relance.languages.references import Part, Sources
from relance.languages.support import jsonpath

_NAME = re.compile(r"\w[\w.-]*")
_SHORT = ("step", "steps", "stages")
_STAGE = ("name", "dependencies", "scheduler")
_BODY = ("step", "workflow", "cases", "parameters", "register_values", "workflow_opts", "scheduler_type")


@dataclass(frozen=True)
class Note:
    """Something that is read and has no effect, or that a job needs from outside."""

    where: str
    text: str


@dataclass(frozen=True)
class Reading:
    """A workflow as it was read."""

    workflow: Workflow
    notes: tuple[Note, ...]
    files: tuple[str, ...]
    """What it was read from, relative to the toplevel."""


def read(toplevel: Path, file: str) -> Reading:
    """Read a workflow of yadage.

    Raises:
        InputError: a file can't be read, or something in it isn't supported; file and line are told.
    """
    sources = Sources(toplevel)
    reader = _Reader()
    workflow = reader.workflow(sources.root(file).followed())
    return Reading(workflow, tuple(dict.fromkeys(reader.notes)), sources.files)


def read_step(toplevel: Path, reference: str) -> tuple[Step, tuple[Note, ...]]:
    """Read one step, such as `steps.yml#/prepare`.

    Raises:
        InputError: it can't be read, or something in it isn't supported; file and line are told.
    """
    file, _, fragment = reference.partition("#")
    whole = Sources(toplevel).root(file)
    part = whole.sources.follow(whole, f"#{fragment}") if fragment.strip("/") else whole
    reader = _Reader()
    return reader.step(part.followed()), tuple(dict.fromkeys(reader.notes))


class _Reader:
    """Goes through a specification and gathers notes."""

    def __init__(self) -> None:
        self.notes: list[Note] = []

    def workflow(self, part: Part) -> Workflow:
        part.only("a workflow", "stages")
        stages: list[Stage] = []
        for one in part.need("stages", "a workflow").each():
            stage = self._stage(one)
            if any(stage.name == other.name for other in stages):
                raise one.refusal(f"two stages are called '{stage.name}'", found="it", expected="one")
            stages.append(stage)
        workflow = Workflow(tuple(stages))
        self._check_numbered(part, workflow)
        return workflow

    def _check_numbered(self, part: Part, workflow: Workflow) -> None:
        numbered = {stage.name for stage in workflow.stages if stage.many}
        for stage in workflow.stages:
            stem, _, digits = stage.name.rpartition("_")
            if digits.isdigit() and stem in numbered:
                raise part.refusal(
                    f"the stage '{stage.name}' is called like a job of '{stem}'",
                    found="two jobs with one folder",
                    expected="another name",
                )

    def _stage(self, part: Part) -> Stage:
        part.only("a stage", *_STAGE)
        name_part = part.need("name", "a stage")
        name = name_part.text()
        if not _NAME.fullmatch(name) or name == "init":
            raise name_part.refusal(
                "a stage's name can't be used",
                found=repr(name),
                expected="letters, digits, '_', '-' and '.', and not 'init'",
            )
        scheduler = part.need("scheduler", f"the stage '{name}'")
        kind_part = scheduler.need("scheduler_type", f"the scheduler of '{name}'")
        match kind_part.text():
            case "singlestep-stage":
                scheduler.only("a singlestep-stage", *_BODY)
                schedule: Single | Scatter | Scripted = Single()
            case "multistep-stage":
                scheduler.only("a multistep-stage", *_BODY, "scatter", "batchsize", "partitionsize")
                schedule = self._scatter(scheduler)
            case "jq-stage":
                schedule = self._scripted(scheduler)
            case other:
                raise kind_part.refusal(
                    "a scheduler isn't supported",
                    found=repr(other),
                    expected="singlestep-stage, multistep-stage or jq-stage",
                )
        scripted = isinstance(schedule, Scripted)
        return Stage(
            name=name,
            dependencies=self._dependencies(part.get("dependencies")),
            schedule=schedule,
            parameters=() if scripted else tuple(self._parameters(scheduler.get("parameters"))),
            cases=tuple(self._cases(scheduler, name)),
            origin=part.origin,
            registered=self._registered(scheduler.get("register_values")),
            relative=self._option(scheduler.get("workflow_opts"), "relative", default=True),
            discover=self._option(scheduler.get("workflow_opts"), "discover", default=False),
        )

    def _dependencies(self, part: Part | None) -> Ready | Fulfilled:
        if part is None or part.value is None:
            return Ready()
        if isinstance(part.value, list):
            return Ready(tuple(_query(one) for one in part.each()))
        part.only("dependencies", "dependency_type", "expressions")
        kind = part.get("dependency_type")
        expressions = part.get("expressions")
        match kind.value if kind else "jsonpath_ready":
            case "jsonpath_ready":
                return Ready(tuple(_query(one) for one in expressions.each()) if expressions else ())
            case "expressions_fulfilled":
                return Fulfilled(
                    tuple(self._expression(one) for one in expressions.each()) if expressions else ()
                )
            case other:
                raise (kind or part).refusal(
                    "a predicate isn't supported",
                    found=repr(other),
                    expected="jsonpath_ready or expressions_fulfilled",
                )

    def _scatter(self, part: Part) -> Scatter:
        scatter = part.need("scatter", "a multistep-stage")
        scatter.only("scatter", "parameters", "method")
        method = scatter.need("method", "scatter")
        if method.value not in ("zip", "cartesian"):
            raise method.refusal(
                "a way to scatter isn't supported", found=repr(method.value), expected="zip or cartesian"
            )
        names = tuple(one.text() for one in scatter.need("parameters", "scatter").each())
        if not names:
            raise scatter.refusal("nothing is scattered", found="no names", expected="names of parameters")
        batch, parts = _count(part.get("batchsize")), _count(part.get("partitionsize"))
        if batch and parts:
            raise part.refusal(
                "a stage has batchsize and partitionsize", found="both", expected="one or none"
            )
        known = [one.name for one in self._parameters(part.get("parameters"))]
        for name in names:
            if name not in known:
                raise scatter.refusal(
                    f"the parameter '{name}' is scattered and isn't there",
                    found=", ".join(known) or "no parameters",
                    expected=f"'{name}' among them",
                )
        return Scatter(names, method.value == "cartesian", batch, parts)

    def _scripted(self, part: Part) -> Scripted:
        bindings = part.need("bindings", "a jq-stage").plain()
        script, after = part.get("stepscript"), part.get("postscript")
        return Scripted(bindings, script.text() if script else "[.]", after.text() if after else ".")

    def _parameters(self, part: Part | None) -> Iterator[Parameter]:
        if part is None or part.value is None:
            return
        if isinstance(part.value, list):
            for one in part.each():
                one.only("a parameter", "key", "value")
                value = one.need("value", "a parameter")
                yield Parameter(one.need("key", "a parameter").text(), self._value(value, short=False))
            return
        for name, value in part.items():
            yield Parameter(name, self._value(value, short=True))

    def _value(self, part: Part, *, short: bool) -> Literal | Selector | FromValue:
        value = part.value
        said = value.keys() if isinstance(value, dict) else ()
        if "expression_type" in said or (short and any(key in said for key in _SHORT)):
            return self._expression(part)
        return Literal(part.plain())

    def _expression(self, part: Part) -> Selector | FromValue:
        kind = part.mapping().get("expression_type", "stage-output-selector")
        if kind == "fromvalue":
            self._without_effect(part, "expression_type", "key", "scope")
            scope = part.get("scope")
            return FromValue(
                part.need("key", "an expression").text(), _query(scope) if scope is not None else None
            )
        if kind != "stage-output-selector":
            raise part.refusal(
                "an expression isn't supported",
                found=repr(kind),
                expected="stage-output-selector or fromvalue",
            )
        self._without_effect(part, "expression_type", *_SHORT, "output", "unwrap", "flatten")
        ways = [key for key in _SHORT if part.get(key) is not None]
        if len(ways) != 1:
            raise part.refusal(
                "a selector needs one of step, steps and stages",
                found=" and ".join(ways) or "none",
                expected="one",
            )
        output, unwrap, flatten = part.get("output"), part.get("unwrap"), part.get("flatten")
        return Selector(
            query=_query(part.need(ways[0], "a selector")),
            output=_query(output, whole=True) if output and output.value else None,
            single=ways[0] == "step",
            unwrap=bool(unwrap and unwrap.flag()),
            flatten=bool(flatten and flatten.flag()),
        )

    def _registered(self, part: Part | None) -> dict[str, Selector | FromValue]:
        if part is None or not part.value:
            return {}
        return {name: self._expression(one) for name, one in part.items()}

    def _option(self, part: Part | None, key: str, *, default: bool) -> bool:
        if part is None or part.value is None:
            return default
        self._without_effect(part, "discover", "relative")
        return _set(part, key, default=default)

    def _without_effect(self, part: Part, *known: str) -> None:
        """Note keys that yadage passes over."""
        for key in part.mapping():
            if key not in known:
                self.notes.append(Note(part.where, f"{key!r} has no effect, as in yadage"))

    def _cases(self, part: Part, name: str) -> Iterator[Case]:
        ways = [key for key in ("step", "workflow", "cases") if part.get(key) is not None]
        if len(ways) > 1 and part.need("scheduler_type", name).value != "singlestep-stage":
            self.notes.append(Note(part.where, f"{' and '.join(ways[1:])} has no effect, as in yadage"))
            ways = ways[:1]
        if len(ways) != 1:
            raise part.refusal(
                f"the stage '{name}' needs one of step, workflow and cases",
                found=" and ".join(ways) or "none",
                expected="one",
            )
        if ways != ["cases"]:
            yield self._body(part, ways[0], None)
            return
        for one in part.need("cases", name).each():
            one.only("a case", "if", "step", "workflow")
            said = [key for key in ("step", "workflow") if one.get(key) is not None]
            if len(said) != 1:
                raise one.refusal("a case needs a step or a workflow", found="none or both", expected="one")
            yield self._body(one, said[0], one.need("if", "a case").text())

    def _body(self, part: Part, way: str, condition: str | None) -> Case:
        body = part.need(way, "a case")
        if way == "step":
            return Case(step=self.step(body), condition=condition)
        return Case(workflow=self.workflow(body), condition=condition)

    def step(self, part: Part) -> Step:
        part.only("a step", "process", "environment", "publisher")
        return Step(
            process=self._process(part.need("process", "a step")),
            environment=self._environment(part.need("environment", "a step")),
            publisher=self._publisher(part.need("publisher", "a step")),
            origin=part.origin,
        )

    def _process(self, part: Part) -> Command | Script | None:
        if part.value is None:
            return None
        kind = part.need("process_type", "a process")
        match kind.value:
            case "string-interpolated-cmd":
                part.only("a process", "process_type", "cmd")
                return Command(part.need("cmd", "a process").text())
            case "interpolated-script-cmd":
                part.only("a process", "process_type", "script", "interpreter")
                interpreter = part.get("interpreter")
                return Script(
                    part.need("script", "a process").text(), interpreter.text() if interpreter else "sh"
                )
        raise kind.refusal(
            "a process isn't supported",
            found=repr(kind.value),
            expected="string-interpolated-cmd or interpolated-script-cmd",
        )

    def _environment(self, part: Part) -> Container | Local | None:
        if part.value is None:
            return None
        kind = part.need("environment_type", "an environment")
        match kind.value:
            case "noop-env":
                self.notes.append(Note(part.where, "noop-env: nothing is run"))
                return None
            case "localproc-env":
                return Local()
            case "docker-encapsulated":
                return self._container(part)
        raise kind.refusal(
            "an environment isn't supported",
            found=repr(kind.value),
            expected="docker-encapsulated, localproc-env or noop-env",
        )

    def _container(self, part: Part) -> Container:
        part.only(
            "an environment",
            *("environment_type", "image", "imagetag", "resources", "envscript", "env", "workdir"),
            "par_mounts",
        )
        image = part.need("image", "an environment")
        name, tag = _image(image, part.get("imagetag"))
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_./:@-]*", f"{name}:{tag}"):
            raise image.refusal(
                "an image's name can't be used",
                found=repr(f"{name}:{tag}"),
                expected="such as library/busybox:1.36",
            )
        env, setup, folder = part.get("env"), part.get("envscript"), part.get("workdir")
        if env is not None and env.value:
            self.notes.append(Note(env.where, "env has no effect, as in yadage: set it in the command"))
        resources = part.get("resources")
        named = tuple(_resource(one.plain()) for one in resources.each()) if resources else ()
        self.notes += [Note(part.where, f"needs {name} from outside") for name in named]
        mounts = part.get("par_mounts")
        return Container(
            image=name,
            tag=tag,
            resources=named,
            setup=setup.text() if setup and setup.value else "",
            folder=folder.text() if folder and folder.value else None,
            mounts=tuple(map(_mount, mounts.each())) if mounts and mounts.value else (),
        )

    def _publisher(
        self, part: Part
    ) -> FromParameters | Interpolated | FromJq | FromYaml | FromGlob | Constant:
        kind = part.need("publisher_type", "a publisher")
        what = "a publisher"
        match kind.value:
            case "frompar-pub":
                part.only(what, "publisher_type", "outputmap")
                return FromParameters(part.need("outputmap", what).plain())
            case "interpolated-pub":
                part.only(what, "publisher_type", "publish", "glob", "relative_paths")
                return Interpolated(
                    part.need("publish", what).plain(),
                    _set(part, "glob", default=False),
                    _set(part, "relative_paths", default=False),
                )
            case "fromparjq-pub":
                part.only(what, "publisher_type", "script", "tryExact", "glob", "relative_paths")
                script = part.get("script")
                return FromJq(
                    script.text() if script else ".",
                    _set(part, "tryExact", default=True),
                    _set(part, "glob", default=False),
                    _set(part, "relative_paths", default=False),
                )
            case "fromyaml-pub":
                part.only(what, "publisher_type", "yamlfile")
                return FromYaml(part.need("yamlfile", what).text())
            case "fromglob-pub":
                part.only(what, "publisher_type", "globexpression", "outputkey")
                return FromGlob(part.need("globexpression", what).text(), part.need("outputkey", what).text())
            case "constant-pub":
                part.only(what, "publisher_type", "publish")
                return Constant(part.need("publish", what).plain())
        raise kind.refusal(
            "a publisher isn't supported",
            found=repr(kind.value),
            expected="frompar-, interpolated-, fromparjq-, fromyaml-, fromglob- or constant-pub",
        )


def _query(part: Part, *, whole: bool = False) -> str:
    text = part.text()
    if whole and not re.fullmatch(r"[\w$.,|()\[\]*:'\"@ -]*", text):
        return text  # a key that stands in the output as it is
    try:
        jsonpath.check(text)
    except PlanError as error:
        if whole:
            return text
        raise part.refusal(
            str(error), found=repr(text), expected="fields, indices, '*', '..' and '|'"
        ) from error
    return text


def _count(part: Part | None) -> int | None:
    """Return a size; 0 stands for none."""
    if part is None:
        return None
    value = part.value
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise part.refusal("a size isn't a count", found=repr(value), expected="a whole number above 0")
    return value or None


def _set(part: Part, key: str, *, default: bool) -> bool:
    one = part.get(key)
    return default if one is None else one.flag()


def _image(part: Part, tag: Part | None) -> tuple[str, str]:
    """Return an image's name and its tag, nothing if a digest is in the name; some write both in one."""
    name = part.text()
    said = re.fullmatch(r"(.+@sha256:[0-9a-f]{64})()|(.+):([^:/@]+)", name)
    if tag is None or tag.value is None:
        return (said[1] or said[3], said[2] or said[4] or "") if said else (name, "latest")
    if isinstance(tag.value, (int, float)) and not isinstance(tag.value, bool):
        raise tag.refusal("a tag isn't text", found=repr(tag.value), expected="it in quotes")
    if said:
        raise tag.refusal("an image has two tags", found=f"{name}:{tag.text()}", expected="one")
    if name.endswith("@sha256"):  # the only way in which yadage itself takes a digest
        return f"{name}:{tag.text()}", ""
    return name, tag.text()


def _resource(value: Json) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        return ", ".join(f"{key}: {item}" for key, item in value.items())
    return str(value)


def _mount(part: Part) -> Mount:
    path = part.need("mountpath", "a par_mount")
    if not path.text().startswith("/"):
        raise path.refusal("a mount's path isn't absolute", found=repr(path.value), expected="/…")
    return Mount(path.text(), part.need("jqscript", "a par_mount").text())
