"""Names in a Snakefile that stand for nothing: placeholders of commands, and other rules."""

from __future__ import annotations

import re
import string
from collections.abc import Iterator

from relance.checks.expressions import UNKNOWN
from relance.checks.files import Files
from relance.checks.finding import Finding
from relance.checks.names import suggestion
from relance.checks.snakefile import Rule, Snakefile

_NAMED = re.compile(
    r"(?<!\{)(?:\{\{)*\{(?P<section>input|output|params|log|wildcards)\.(?P<name>[A-Za-z_]\w*)[^{}]*\}"
)
_INDEXED = re.compile(r"(?P<section>input|output|params|log)\[(?P<index>\d{1,6})\]")
_WILDCARD = re.compile(r"(?<!\{)\{(?P<name>[A-Za-z_]\w*)\s*(?:,[^{}]*(?:\{[^{}]*\}[^{}]*)*)?\}(?!\})")
_OF_LISTS = frozenset(
    ("append", "clear", "copy", "count", "extend", "get", "index", "insert", "items", "keys")
)
# What Snakemake fills a command in with beside what the Snakefile defines.
_GIVEN = frozenset(
    (
        *(
            "input",
            "output",
            "params",
            "wildcards",
            "threads",
            "resources",
            "log",
            "rule",
            "rulename",
            "name",
        ),
        *("jobid", "bench_iteration", "config", "workflow", "rules", "checkpoints", "scatter", "gather"),
        *("os", "sys", "re", "platform", "Path", "__file__"),
    )
)
_DEFINING = frozenset(("exec", "globals", "vars", "setattr"))
_LONGEST = 40  # characters of a placeholder that are shown


def check(snakefile: Snakefile, files: Files) -> Iterator[Finding]:
    """Give the names that nothing has, where all that there is can be seen."""
    defined = _defined(snakefile)
    for rule in snakefile.rules:
        if not rule.derived and rule.command is not None and UNKNOWN not in rule.command:
            yield from _placeholders(rule, files)
            yield from _filling(rule, defined, files)
    known = {rule.name for rule in snakefile.rules}
    if not snakefile.whole or any(rule.derived for rule in snakefile.rules):
        return
    for use in snakefile.meant:
        if use.what not in known:
            yield Finding(
                "RL101",
                files.find(use.place.file, use.place.line or 1, f"rules.{use.what}", use.place.line),
                f"rules.{use.what}",
                expected=f"one of {', '.join(sorted(known))}",
                found="no such rule",
                next_step=suggestion(use.what, known) or "correct the name",
            )


def _placeholders(rule: Rule, files: Files) -> Iterator[Finding]:
    told: set[str] = set()
    command = rule.command or ""
    for match in _NAMED.finditer(command):
        section, name = match["section"], match["name"]
        known = _wildcards(rule) if section == "wildcards" else _names(rule, section)
        if known is None or name in known or name in _OF_LISTS or match[0] in told:
            continue
        told.add(match[0])
        yield Finding(
            "RL103",
            files.near(rule.at("shell"), command, match.start("name")),
            f"rule {rule.name}",
            expected=f"{section} with one of {', '.join(sorted(known)) or 'no names'}",
            found=f"the placeholder {{{section}.{name}}}",
            next_step=suggestion(name, known) or f"give the rule's '{section}' this name",
        )


def _names(rule: Rule, section: str) -> frozenset[str] | None:
    """Return the names in a section of a rule; None if they can't all be seen."""
    values = rule.values(section)
    if any(value.name is None and (not value.known or "unpack" in value.flags) for value in values):
        return None
    return frozenset(value.name for value in values if value.name is not None)


def _wildcards(rule: Rule) -> frozenset[str] | None:
    outputs = rule.values("output")
    if any(not value.known for value in outputs):
        return None
    return frozenset(match["name"] for value in outputs for match in _WILDCARD.finditer(value.text))


def _defined(snakefile: Snakefile) -> frozenset[str] | None:
    """Return the names that Snakemake fills in; None if they can't all be seen."""
    called = {use.what for use in snakefile.called}
    if not snakefile.whole or "*" in snakefile.defined or not called.isdisjoint(_DEFINING):
        return None
    return _GIVEN | snakefile.defined


def _filling(rule: Rule, defined: frozenset[str] | None, files: Files) -> Iterator[Finding]:
    """Give the first thing in a command at which Snakemake fails when it fills it in."""
    command = rule.command or ""
    try:
        fields = [field for _, field, _, _ in string.Formatter().parse(command) if field is not None]
    except ValueError as error:
        yield Finding(
            "RL109",
            rule.at("shell"),
            f"rule {rule.name}",
            expected="braces in pairs around names, and doubled ones ({{, }}) for the shell",
            found=str(error),
            next_step="double the braces that the shell or a program is to see",
        )
        return
    for field in fields:
        match = _INDEXED.match(field)
        values = rule.values(match["section"]) if match else ()
        if match and int(match["index"]) >= len(values) and all(value.known for value in values):
            yield Finding(
                "RL103",
                files.near(rule.at("shell"), command, command.find(f"{{{field}")),
                f"rule {rule.name}",
                expected=f"a number below {len(values)}, of the values of '{match['section']}'",
                found=f"the placeholder {{{match[0]}}}",
                next_step="correct the number, or give the values names",
            )
            return
    if defined is None:
        return
    for field in fields:
        name = re.split(r"[.\[]", field, maxsplit=1)[0]
        if name not in defined:
            shown = field if len(field) <= _LONGEST else f"{field[:_LONGEST]}…"
            section = _section_of(name, rule)
            # An empty one, and what is no name, is meant for a program.
            doubled = "double the braces, {{…}}, if the shell or a program is to see them"
            yield Finding(
                "RL103",
                files.near(rule.at("shell"), command, max(command.find(f"{{{field}"), 0)),
                f"rule {rule.name}",
                expected="the name of a section, or one that the Snakefile defines",
                found=f"the placeholder {{{shown}}}",
                next_step=f"write {{{section}.{name}}}" if section else doubled,
            )
            return


def _section_of(name: str, rule: Rule) -> str | None:
    """Return the section of a rule that has a name, if one does."""
    if name in (_wildcards(rule) or ()):
        return "wildcards"
    sections = ("input", "output", "params", "log")
    return next((one for one in sections if name and name in (_names(rule, one) or ())), None)
