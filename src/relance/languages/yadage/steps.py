"""Reads a step of yadage: its process, what it runs in, and how it publishes."""

from __future__ import annotations

import re
from pathlib import Path

from relance.errors import InputError
from relance.languages import onreana
from relance.languages.model import (
    Command,
    Constant,
    Container,
    FromGlob,
    FromJq,
    FromParameters,
    FromYaml,
    Interpolated,
    Json,
    Local,
    Mount,
    Script,
    Step,
)
from relance.languages.notes import Note, workspace
from relance.languages.references import Part, Sources
from relance.languages.support.publishing import Publisher


def read(toplevel: Path, reference: str) -> tuple[Step, tuple[Note, ...]]:
    """Read one step, such as `steps.yml#/prepare`.

    Raises:
        InputError: it can't be read, or something in it isn't supported; file and line are told.
    """
    file, _, fragment = reference.partition("#")
    whole = Sources(toplevel).root(file)
    try:
        part = whole.sources.follow(whole, f"#{fragment}") if fragment.strip("/") else whole
    except InputError as error:
        if not error.subject.startswith(f"{whole.where}: "):
            raise
        raise InputError(
            f"the step '{reference}' isn't there",
            expected=error.expected,
            found="none",
            next_step="correct its name",
        ) from error
    notes: list[Note] = []
    found = step(part.followed(), notes)
    return found, tuple(dict.fromkeys(notes))


def step(part: Part, notes: list[Note]) -> Step:
    """Return the step that a part describes, and note what it needs or has no effect.

    Raises:
        InputError: something in it isn't supported; file and line are told.
    """
    part.only("a step", "process", "environment", "publisher")
    return Step(
        process=_process(part.need("process", "a step"), notes),
        environment=_environment(part.need("environment", "a step"), notes),
        publisher=_publisher(part.need("publisher", "a step")),
        origin=part.origin,
    )


def _process(part: Part, notes: list[Note]) -> Command | Script | None:
    if part.value is None:
        return None
    kind = part.need("process_type", "a process")
    match kind.value:
        case "string-interpolated-cmd":
            part.only("a process", "process_type", "cmd")
            command = part.need("cmd", "a process")
            notes += workspace(command.where, command.value)
            return Command(command.text())
        case "interpolated-script-cmd":
            part.only("a process", "process_type", "script", "interpreter")
            interpreter, script = part.get("interpreter"), part.need("script", "a process")
            notes += workspace(script.where, script.value)
            return Script(script.text(), interpreter.text() if interpreter else "sh")
    raise kind.refusal(
        "a process isn't supported",
        found=repr(kind.value),
        expected="string-interpolated-cmd or interpolated-script-cmd",
    )


def _environment(part: Part, notes: list[Note]) -> Container | Local | None:
    if part.value is None:
        return None
    kind = part.need("environment_type", "an environment")
    match kind.value:
        case "noop-env":
            notes.append(Note(part.where, "noop-env: nothing is run"))
            return None
        case "localproc-env":
            return Local()
        case "docker-encapsulated":
            return _container(part, notes)
    raise kind.refusal(
        "an environment isn't supported",
        found=repr(kind.value),
        expected="docker-encapsulated, localproc-env or noop-env",
    )


def _container(part: Part, notes: list[Note]) -> Container:
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
        notes.append(Note(env.where, "env has no effect, as in yadage: set it in the command"))
    resources = part.get("resources")
    named = tuple(_resource(one.plain()) for one in resources.each()) if resources else ()
    notes += [Note(part.where, _told(one)) for one in named]
    mounts = part.get("par_mounts")
    return Container(
        image=name,
        tag=tag,
        resources=named,
        setup=setup.text() if setup and setup.value else "",
        folder=folder.text() if folder and folder.value else None,
        mounts=tuple(map(_mount, mounts.each())) if mounts and mounts.value else (),
    )


def _publisher(part: Part) -> Publisher:
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
                part.flag_at("glob", default=False),
                part.flag_at("relative_paths", default=False),
            )
        case "fromparjq-pub":
            part.only(what, "publisher_type", "script", "tryExact", "glob", "relative_paths")
            script = part.get("script")
            return FromJq(
                script.text() if script else ".",
                part.flag_at("tryExact", default=True),
                part.flag_at("glob", default=False),
                part.flag_at("relative_paths", default=False),
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


def _told(resource: str) -> str:
    if onreana.is_way(resource):
        return f"{resource} says how REANA runs the step; it has no effect here"
    return f"needs {resource} from outside"


def _mount(part: Part) -> Mount:
    path = part.need("mountpath", "a par_mount")
    if not path.text().startswith("/"):
        raise path.refusal("a mount's path isn't absolute", found=repr(path.value), expected="/…")
    return Mount(path.text(), part.need("jqscript", "a par_mount").text())
