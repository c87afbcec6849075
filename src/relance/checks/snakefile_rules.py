"""Rules of a Snakefile that hang, fail or pass on REANA, where a job's command alone is sent to a pod."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from relance.checks import shell
from relance.checks.commands import Command
from relance.checks.expressions import UNKNOWN, Value
from relance.checks.files import Files
from relance.checks.finding import Finding, Place
from relance.checks.images import Language, Named
from relance.checks.snakefile import Rule, Snakefile

_OLDEST = (7, 32, 4)
_NEWER = frozenset(
    (
        *("branch", "collect", "evaluate", "exists", "lookup", "parse_input", "extract_checksum", "flatten"),
        *("from_queue", "subpath", "before_update", "nodelocal", "as_py_module"),
    )
)
_NEWER_SECTIONS = frozenset(
    ("storage", "pathvars", "inputflags", "outputflags", "default_input_flags", "default_output_flags")
)
_REDIRECT = re.compile(
    r"(?:(?<![<>\d])[12&]?>>?\|?\s*|\btee\s+(?:-\S+\s+)*)['\"]?\{(?P<what>(?:output|log)[^{}]*)\}"
)
_ENTERED = re.compile(r"\bcd\s+([\w.-][\w./-]*)")
_WORD = re.compile(r"[\w./+-]+\.\w+")


def images(snakefile: Snakefile) -> Iterator[Named]:
    """Give the images that rules name, as far as they are known."""
    if snakefile.container is not None:
        place = Place(snakefile.files[0], snakefile.container.line)
        yield Named(snakefile.container.text, place, "all rules", Language.SNAKEMAKE)
    for rule in snakefile.rules:
        if any(value.name == "unpacked_img" for value in rule.values("resources")):
            continue
        for value in rule.values("container")[:1]:
            yield Named(
                value.text, rule.at("container"), f"rule {rule.name}", Language.SNAKEMAKE, _user(rule)
            )


def commands(snakefile: Snakefile) -> Iterator[Command]:
    """Give the shell commands of rules, as they are written."""
    for rule in snakefile.rules:
        if rule.command is not None:
            yield Command(rule.command, rule.at("shell"), f"rule {rule.name}", safe=True)


def check(snakefile: Snakefile, files: Files, sent: Iterable[str]) -> Iterator[Finding]:
    """Give what is different on REANA; `sent` are the folders that are there from the beginning."""
    there = frozenset(sent)
    for rule in snakefile.rules:
        if not rule.acts:
            continue
        yield from _kind(rule)
        yield from _container(rule, snakefile)
        yield from _sections(rule, snakefile)
        if rule.command is not None:
            yield from _folders(rule, snakefile, files, there)
    yield from _versions(snakefile)


def _kind(rule: Rule) -> Iterator[Finding]:
    section = rule.program or ("run" if rule.runs else None)
    if section is not None:
        yield Finding(
            "RL301",
            rule.at(section),
            f"rule {rule.name}",
            expected="'shell:', which is what REANA runs",
            found=f"'{section}:'",
            next_step="make the code a program with arguments, and call it in 'shell:'",
        )


def _container(rule: Rule, snakefile: Snakefile) -> Iterator[Finding]:
    if rule.derived or "container" in rule.sections or snakefile.container is not None:
        return
    if "containerized" in rule.sections or rule.command is None:
        return
    yield Finding(
        "RL203",
        rule.place,
        f"rule {rule.name}",
        expected="'container:'",
        found="'conda:', which isn't used there" if "conda" in rule.sections else "no image",
        next_step="name the image that it needs",
    )


def _sections(rule: Rule, snakefile: Snakefile) -> Iterator[Finding]:
    name = f"rule {rule.name}"
    if "benchmark" in rule.sections:
        yield Finding(
            "RL302", rule.at("benchmark"), name, "no 'benchmark:'", "one", "remove it (relance run measures)"
        )
    if rule.name in snakefile.local or "localrule" in rule.sections:
        place = snakefile.local.get(rule.name) or rule.at("localrule")
        yield Finding(
            "RL309",
            place,
            name,
            expected="a rule that runs in its container",
            found="a local rule, which runs beside the engine",
            next_step="take it off 'localrules:'",
        )
    if any(value.text not in {UNKNOWN, "None"} for value in rule.values("shadow")):
        yield Finding(
            "RL310",
            rule.at("shadow"),
            name,
            expected="a command that writes its outputs alone",
            found="'shadow:', without which other files stay in the workspace",
            next_step="work in a folder of its own: $(mktemp -d)",
        )
    for section in ("input", "output"):
        for value in rule.values(section):
            for flag in sorted(value.flags & {"pipe", "service"}):
                yield Finding(
                    "RL311",
                    replace(rule.place, line=value.line),
                    name,
                    expected="an ordinary file",
                    found=f"{flag}(…)",
                    next_step="write a file (temp(…) removes it when it is no longer needed)",
                )


def _folders(rule: Rule, snakefile: Snakefile, files: Files, there: frozenset[str]) -> Iterator[Finding]:
    text = rule.command or ""
    made = shell.made_folders(text)
    if UNKNOWN in text or made is None:
        return
    redirected = {match["what"] for match in _REDIRECT.finditer(text)}
    written = _written_to(rule, redirected)
    for value in (*rule.values("output"), *rule.values("log")):
        folder = posixpath.dirname(value.text)
        # What is only touched, the engine makes.
        apart = not folder or value.text.startswith("/") or "touch" in value.flags
        if apart or _made_elsewhere(folder, rule, snakefile, there):
            continue
        direct = value in written
        if made and (not direct or UNKNOWN in folder or posixpath.normpath(folder) in made):
            continue
        if not direct and (value in rule.values("log") or _program_makes(text, files)):
            continue
        shown = folder.replace(UNKNOWN, "…")
        yield Finding(
            "RL303" if direct else "RL304",
            replace(rule.place, line=value.line),
            f"rule {rule.name}",
            expected="a command that makes its folders",
            found=f"none that makes '{shown}'" + (", where the shell writes to" if direct else ""),
            next_step="begin it with 'mkdir -p $(dirname …);'",
        )
        return


def _written_to(rule: Rule, redirected: Iterable[str]) -> tuple[Value, ...]:
    """Return the values that the shell itself opens, given the placeholders after `>`."""
    found: list[Value] = []
    for placeholder in redirected:
        section, _, rest = placeholder.partition(":")[0].partition(".")
        section, _, index = section.partition("[")
        values = rule.values(section)
        name = rest.partition("[")[0]
        if name:
            found += [value for value in values if value.name == name]
        elif index.rstrip("]").isdigit():
            found += values[int(index.rstrip("]")) :][:1]
        elif len(values) == 1:
            found += values
    return tuple(found)


def _made_elsewhere(folder: str, rule: Rule, snakefile: Snakefile, there: frozenset[str]) -> bool:
    """Return whether a folder is sent, or perhaps made by another rule."""
    if folder in there or folder == UNKNOWN:
        return True
    for other in snakefile.rules:
        if other is rule or not other.acts:
            continue
        makes = other.command is None or UNKNOWN in other.command or shell.makes_folders(other.command)
        for value in other.values("output"):
            inside = value.text == folder or value.text.startswith(f"{folder}/")
            if inside and (makes or "directory" in value.flags):
                return True
    return False


def _program_makes(text: str, files: Files) -> bool:
    """Return whether a program of the analysis that a command names makes folders itself."""
    entered = ("", *_ENTERED.findall(text))
    paths = (
        posixpath.normpath(posixpath.join(folder, word)) for word in _WORD.findall(text) for folder in entered
    )
    return any(shell.makes_folders("\n".join(files.lines(path))) for path in dict.fromkeys(paths))


def _versions(snakefile: Snakefile) -> Iterator[Finding]:
    for use in snakefile.called:
        name = use.what
        if name.startswith("min_version:"):
            wanted = tuple(int(part) for part in name.partition(":")[2].split(".") if part.isdigit())
            newer = wanted > _OLDEST
            shown = f"min_version({name.partition(':')[2]!r})"
        elif name.startswith("workflow."):
            section = name.split(".")[1].removesuffix("_registry").removeprefix("register_")
            newer, shown = section in _NEWER_SECTIONS, f"'{section}:'"
        else:
            own = not {name, "*"}.isdisjoint(snakefile.defined)
            newer, shown = name in _NEWER and not own, f"{name}(…)"
        if newer:
            yield Finding(
                "RL312",
                use.place,
                "the Snakefile",
                expected="what Snakemake 7.32.4 knows, if it is to run on REANA 0.9",
                found=shown,
                next_step="use a server of 0.95, or do without",
            )


def _user(rule: Rule) -> int | None:
    for value in rule.values("resources"):
        if value.name == "kubernetes_uid" and value.text.isdigit():
            return int(value.text)
    return None
