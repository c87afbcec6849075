"""Folders that a rule's command writes into: Snakemake makes them here, on REANA a command must.

A folder is there if it is sent, if the rule reads something in it, or if a rule that comes before makes it.
A rule that need not come before makes it in time only now and then.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import cache

from relance.checks import rule_order, shell
from relance.checks.expressions import UNKNOWN, Value
from relance.checks.files import Files
from relance.checks.finding import Finding
from relance.checks.snakefile import Rule, Snakefile

_REDIRECT = re.compile(
    r"(?:(?<![<>\d])(?:[12&]?>>?\|?|>&)\s*|\btee\s+(?:-\S+\s+)*)['\"]?\{(?P<what>(?:output|log)[^{}]*)\}"
)
_LITERAL = re.compile(r"(?<![<>\d])(?:[12&]?>>?\|?|>&)\s*['\"]?(?P<path>[\w./+-]+)")
_PLACEHOLDER = re.compile(r"(?<!\{)\{(?P<what>(?:output|log|params|input|wildcards)\b[^{}]*)\}(?!\})")
_DIRNAME = re.compile(r"\$\(\s*dirname\s+(?P<what>[^()$`]*)\)|`\s*dirname\s+(?P<also>[^()$`]*)`")
_FUNCTION = re.compile(r"\w\s*\(\)")
_ENTERED = re.compile(r"\bcd\s+([\w.-][\w./-]*)")
_WORD = re.compile(r"[\w./+-]+\.\w+")
_WILDCARD = re.compile(r"\{(\w+)\}")


def check(snakefile: Snakefile, files: Files, sent: Iterable[str] | None) -> Iterator[Finding]:
    """Give the first folder of each rule that isn't there for certain when its command writes into it.

    Args:
        snakefile: with all rules.
        files: of the analysis, for the programs that commands name.
        sent: files and folders that are in the workspace from the beginning; None if nothing tells it.
    """
    order = rule_order.of(snakefile)
    there = set(_read(order, snakefile, files) if sent is None else sent)
    for folder in snakefile.made:
        there |= {rule_order.plain(folder), *_parents(rule_order.plain(folder))}
    making = _Making(order, files, frozenset(there))
    for number, (written, rule) in enumerate(zip(snakefile.rules, order.rules, strict=True)):
        if rule.acts and rule.command is not None and UNKNOWN not in rule.command:
            yield from _unmade(number, written, making)


def _unmade(number: int, written: Rule, making: _Making) -> Iterator[Finding]:
    rule = making.order.rules[number]
    for value in (*rule.values("output"), *rule.values("log")):
        folder = posixpath.dirname(rule_order.plain(value.text))
        # What is only touched, the engine makes.
        if not folder or folder.startswith("/") or folder == UNKNOWN or "touch" in value.flags:
            continue
        opened = _opened(rule, value)
        made = making.by_command(number, opened)
        if made is None or _opaque(folder) in made or (made and UNKNOWN in folder):
            continue
        if opened is None and (value in rule.values("log") or making.programs(number)):
            continue
        if opened is None and made and making.is_handed_over(number, folder, made):
            continue
        others = making.too_late(number, folder)
        if others is None:
            continue
        shown = folder.replace(UNKNOWN, "…")
        found = f"none that makes '{shown}'" + (", where the shell writes to" if opened is not None else "")
        if others:
            rules, make = ("rule", "makes") if len(others) == 1 else ("rules", "make")
            found += f"; only {rules} {_listed(others)} {make} it, which need not come before"
        own = value in (*written.values("output"), *written.values("log"))
        yield Finding(
            "RL303" if opened is not None else "RL304",
            replace(rule.place, line=value.line) if own else rule.place,
            f"rule {rule.name}",
            expected="a command that makes its folders",
            found=found,
            next_step="begin it with 'mkdir -p $(dirname …);'",
        )
        return


class _Making:
    """Who makes folders."""

    def __init__(self, order: rule_order.Order, files: Files, there: frozenset[str]) -> None:
        self.order = order
        self._files = files
        self._there = there
        self.by_command = cache(self._by_command)
        self.programs = cache(self._programs)
        self._folders = [_folders(rule) for rule in order.rules]

    def too_late(self, number: int, folder: str) -> tuple[str, ...] | None:
        """Return who makes a folder and need not come before a rule; None if it is there by then."""
        rule = self.order.rules[number]
        # Of what Python makes, it may not be known what that is.
        if not self._there.isdisjoint((folder, UNKNOWN)) or any(
            _inside(value.text, folder) for value in rule.values("input")
        ):
            return None
        before = self.order.before(number)
        late: list[str] = []
        for other, maker in enumerate(self.order.rules):
            if other == number:
                continue
            holds, makes = self._makes(other, folder)
            if other in before:
                # A rule whose folder nobody makes is told of itself, unless each of the two may be the first.
                if makes or (holds and number not in self.order.before(other)) or self._may(other, folder):
                    return None
            elif makes:
                late.append(maker.name)
        return tuple(late)

    def is_handed_over(self, number: int, folder: str, made: frozenset[str]) -> bool:
        """Return whether a rule's command makes what is around a folder, or gives a program the folder."""
        hidden = _opaque(folder)
        return posixpath.dirname(hidden) in made or hidden in self._filled(number, None).split()

    def _makes(self, number: int, folder: str) -> tuple[bool, bool]:
        """Return whether a rule has products in a folder, and whether it makes the folder itself."""
        rule = self.order.rules[number]
        literal, patterns = self._folders[number]
        hidden = _opaque(folder)
        holds = folder in literal or any(rule_order.could_be(one, hidden) for one in patterns)
        if not holds and UNKNOWN in folder:
            holds = any(rule_order.could_be(one, hidden) for one in literal)
        command = rule.command
        if command is None or UNKNOWN in command:
            return holds, holds
        made = self.by_command(number, None)
        named = made is not None and hidden in made
        engine = any(
            value.flags & {"directory", "touch"} and _inside(value.text, folder)
            for value in rule.values("output")
        )
        return holds, named or (
            holds and (engine or shell.makes_folders(command) or bool(self.programs(number)))
        )

    def _may(self, number: int, folder: str) -> bool:
        """Return whether a rule may make a folder in which it has no products."""
        rule = self.order.rules[number]
        if any(folder in program for program in self.programs(number)):
            return True
        named = folder.partition("/")[0] in (rule.command or "") or not all(
            value.known for value in rule.values("params")
        )
        return named and self.by_command(number, None) is None

    def _programs(self, number: int) -> tuple[str, ...]:
        """Return the programs that a command names and that make folders, each as its text."""
        text = self.order.rules[number].command or ""
        entered = ("", *_ENTERED.findall(text))
        paths = (
            posixpath.normpath(posixpath.join(place, word))
            for word in _WORD.findall(text)
            for place in entered
        )
        programs = ("\n".join(self._files.lines(path)) for path in dict.fromkeys(paths))
        return tuple(program for program in programs if shell.makes_folders(program))

    def _by_command(self, number: int, end: int | None) -> frozenset[str] | None:
        """Return the folders that a rule's command makes, up to a place in it; None if it isn't known."""
        return shell.made_folders(_DIRNAME.sub(_dirnames, self._filled(number, end)))

    def _filled(self, number: int, end: int | None) -> str:
        rule = self.order.rules[number]
        text = (rule.command or "")[:end]
        return _PLACEHOLDER.sub(lambda match: _filled(rule, match["what"]) or match[0], text)


def _opened(rule: Rule, value: Value) -> int | None:
    """Return where in its command the shell opens a file of a rule; None if it doesn't."""
    text = rule.command or ""
    for match in _REDIRECT.finditer(text):
        meant = _meant(rule, match["what"])
        if len(meant) == 1 and value in meant:
            # What a function does, it does where it is called.
            return len(text) if _FUNCTION.search(text) else match.start()
    literal = (one for one in _LITERAL.finditer(text) if rule_order.plain(one["path"]) == value.text)
    return next((one.start() for one in literal), None)


def _meant(rule: Rule, placeholder: str) -> tuple[Value, ...]:
    """Return the values of a rule that a placeholder of its command stands for."""
    section, _, rest = re.split(r"[:!]", placeholder)[0].strip().partition(".")
    section, _, index = section.partition("[")
    values = rule.values(section)
    if name := rest.partition("[")[0]:
        return tuple(value for value in values if value.name == name)
    if not index:
        return values
    index = index.rstrip("]")
    return values[int(index) :][:1] if index.isdigit() else tuple(one for one in values if one.name == index)


def _filled(rule: Rule, placeholder: str) -> str | None:
    """Return what a placeholder stands for, with hidden wildcards; None if it isn't known."""
    section, _, name = placeholder.partition(".")
    if section == "wildcards":
        return _opaque(f"{{{name}}}") if name.isidentifier() else None
    values = _meant(rule, placeholder)
    if not values or (section in {"input", "params"} and not all(value.known for value in values)):
        return None
    return _opaque(" ".join(rule_order.plain(value.text) for value in values))


def _dirnames(match: re.Match[str]) -> str:
    words = (match["what"] or match["also"] or "").replace('"', " ").replace("'", " ").split()
    return " ".join(posixpath.dirname(word) or "." for word in words)


def _folders(rule: Rule) -> tuple[frozenset[str], tuple[str, ...]]:
    """Return the folders that have products of a rule, and those of them with wildcards or unknown pieces."""
    found: dict[str, None] = {}
    command = rule.command or UNKNOWN
    logs = rule.values("log") if UNKNOWN in command or "{log" in command else ()
    for value in (*rule.values("output"), *logs):
        parts = rule_order.plain(value.text).split("/")
        last = len(parts) + ("directory" in value.flags)
        found |= {"/".join(parts[:end]): None for end in range(1, last)}
    found.pop(UNKNOWN, None)  # it would be every folder
    return frozenset(found), tuple(one for one in found if UNKNOWN in one or _WILDCARD.search(one))


def _read(order: rule_order.Order, snakefile: Snakefile, files: Files) -> Iterator[str]:
    """Give the folders of what the workflow reads and nobody makes: to run, it must be sent."""
    for path in (*snakefile.files, *(use.what for use in snakefile.asked)):
        yield from _parents(posixpath.normpath(path))
    for rule in order.rules:
        for value in rule.values("input"):
            known = re.split(rf"\{{|{UNKNOWN}", rule_order.plain(value.text))[0]
            folder = posixpath.dirname(known)
            if folder and not order.makers(value) and (files.root / folder).is_dir():
                yield from _parents(known)


def _parents(path: str) -> Iterator[str]:
    while path := posixpath.dirname(path).rstrip("/"):
        yield path


def _inside(text: str, folder: str) -> bool:
    path = rule_order.plain(text)
    return path == folder or path.startswith(f"{folder}/")


def _opaque(path: str) -> str:
    """Return a path whose wildcards are each one text, equal to itself alone."""
    return _WILDCARD.sub("\x02\\1\x03", path)


def _listed(names: tuple[str, ...]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
