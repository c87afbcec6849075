"""Rules of a Snakefile that hang, fail or pass on REANA, where a job's command alone is sent to a pod."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from relance.checks import made_folders
from relance.checks.commands import Command
from relance.checks.expressions import UNKNOWN
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


def check(snakefile: Snakefile, files: Files, sent: Iterable[str] | None) -> Iterator[Finding]:
    """Give what is different on REANA; `sent` is there from the beginning, None if nothing tells it."""
    for rule in snakefile.rules:
        if not rule.acts:
            continue
        yield from _kind(rule)
        yield from _container(rule, snakefile)
        yield from _sections(rule, snakefile)
    yield from made_folders.check(snakefile, files, sent)
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
    if rule.name in snakefile.local or any(value.text != "False" for value in rule.values("localrule")):
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
