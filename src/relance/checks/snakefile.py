"""A Snakefile read as text, by Snakemake's own parser: nothing of it is run.

Snakemake turns a Snakefile into Python; that Python is looked at, not executed. What only running would tell
is unknown.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import TextIO

from relance.checks.expressions import UNKNOWN, Value, constants, evaluated, folders, name_of
from relance.checks.finding import Finding, Place

_OUTSIDE = ("http:", "https:", "github:", "gitlab:", "bitbucket:", "s3:", "gs:")
_MOST_FILES = 1000
_PROGRAMS = ("script", "notebook", "wrapper", "cwl", "template_engine")


@dataclass(frozen=True)
class Rule:
    """A rule, as it is written."""

    name: str
    place: Place
    sections: Mapping[str, tuple[Value, ...]]
    """By the words of the Snakefile, such as `output`; `shell` has the command. Empty: unknown values."""
    lines: Mapping[str, int]
    """Where each section stands."""
    runs: bool
    """Whether it has a `run:`."""
    derived: bool = False
    """Whether it takes over what another rule says (`use rule … with:`)."""
    base: str | None = None
    """Which, if that is one of this workflow's."""

    def values(self, section: str) -> tuple[Value, ...]:
        """Return the values of a section; none if the rule hasn't got it."""
        return self.sections.get(section, ())

    def at(self, section: str) -> Place:
        """Return where a section stands, else the rule."""
        return replace(self.place, line=self.lines.get(section, self.place.line), column=None)

    @property
    def command(self) -> str | None:
        """The text of its shell command, `UNKNOWN` where it isn't known; None if it has none."""
        values = self.values("shell")
        return values[0].text if len(values) == 1 else UNKNOWN if "shell" in self.sections else None

    @property
    def program(self) -> str | None:
        """Which of `script`, `notebook`, `wrapper` and so on it has instead."""
        return next((name for name in _PROGRAMS if name in self.sections), None)

    @property
    def acts(self) -> bool:
        """Whether it does something, and doesn't only name what is wanted."""
        return self.runs or self.program is not None or "shell" in self.sections


@dataclass(frozen=True)
class Use:
    """Something that a Snakefile uses, such as a file or a function of Snakemake's."""

    what: str
    place: Place


@dataclass
class Snakefile:
    """A Snakefile and all that it includes, as far as it is known."""

    rules: list[Rule] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    """What was read, relative to the analysis, the Snakefile first."""
    asked: list[Use] = field(default_factory=list)
    """Files that it reads when it is parsed: `include:`, `configfile:`."""
    called: list[Use] = field(default_factory=list)
    """Functions and sections by their names, as `storage` or `min_version:9.0`."""
    meant: list[Use] = field(default_factory=list)
    """Rules that are spoken of as `rules.NAME`."""
    defined: set[str] = field(default_factory=set)
    """Names that its Python defines; `*` if another module may define any."""
    container: Value | None = None
    """That of all rules."""
    local: dict[str, Place] = field(default_factory=dict)
    """Rules that `localrules:` names."""
    made: list[str] = field(default_factory=list)
    """Folders that its Python makes when it is parsed, `UNKNOWN` where that isn't known."""
    unseen: list[Finding] = field(default_factory=list)
    """What couldn't be looked at."""
    wrong: list[Finding] = field(default_factory=list)
    """What can't be parsed."""
    whole: bool = True
    """Whether every rule there is was seen."""


def read(root: Path, file: str) -> Snakefile:
    """Read a Snakefile of the analysis in `root`, and what it includes; what is wrong is in the result."""
    found = Snakefile()
    _Reader(root, found).file(file, PurePosixPath(file).parent)
    return found


class _Source:
    """What Snakemake's parser asks for: a file by its path."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.sourcecache = self

    def get_path_or_uri(self, *, secret_free: bool) -> str:
        del secret_free
        return str(self.path)

    def open(self, path: object) -> TextIO:
        del path
        return self.path.open(encoding="utf-8")


class _Reader:
    def __init__(self, root: Path, found: Snakefile) -> None:
        self._root = root
        self._found = found

    def file(self, file: str, folder: PurePosixPath) -> None:
        """Read a file; what it includes is relative to `folder`."""
        if file in self._found.files or len(self._found.files) > _MOST_FILES:
            return
        self._found.files.append(file)
        from snakemake import parser  # noqa: PLC0415 - takes long to load, and most checks don't need it

        lines: dict[int, int] = {}
        source = _Source(self._root / file)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter(
                    "ignore"
                )  # about strings of the analysis's, which it is told when it runs
                code, _ = parser.parse(source, source, lines)
                tree = ast.parse(code)
        except (SyntaxError, ValueError, RecursionError, UnicodeDecodeError) as error:
            given = getattr(error, "lineno", None)
            line = lines.get(given, given) if given else None
            message = getattr(error, "msg", None) or str(error)
            self._refuse(Place(file, line), message)
            return
        except Exception as error:  # noqa: BLE001 - the parser raises tokenizer's errors and some of its own
            self._refuse(Place(file), f"{type(error).__name__}: {error}")
            return
        _File(self, self._found, file, folder, lines, constants(tree)).walk(tree)

    def _refuse(self, place: Place, message: str) -> None:
        self._found.whole = False
        self._found.wrong.append(
            Finding(
                "RL001",
                place,
                "the Snakefile can't be read",
                expected="the syntax of Snakemake 9",
                found=" ".join(message.split()),
                next_step="correct this line or the one before",
            )
        )

    def included(self, file: str) -> bool:
        """Tell whether a file that is included is there."""
        return (self._root / file).is_file()


@dataclass
class _File:
    """Goes through the Python that a Snakefile became."""

    reader: _Reader
    found: Snakefile
    file: str
    folder: PurePosixPath
    lines: Mapping[int, int]
    known: Mapping[str, str]

    def walk(self, tree: ast.Module) -> None:
        defined = self.found.defined
        for node in ast.walk(tree):
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                defined |= {alias.asname or alias.name for alias in node.names}
            elif isinstance(node, (ast.FunctionDef, ast.ClassDef)) and not node.name.startswith("__rule_"):
                defined.add(node.name)
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                defined.add(node.id)
            elif isinstance(node, ast.Attribute) and name_of(node.value) == "rules":
                self.found.meant.append(Use(node.attr, self._place(node)))
        self.found.made += folders(tree, self.known)
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef) and node.decorator_list:
                self._rule(node)
            elif isinstance(node, ast.Call):
                self._call(node)

    def _place(self, node: ast.AST) -> Place:
        line = getattr(node, "lineno", 1)
        return Place(self.file, self.lines.get(line, line))

    def _call(self, node: ast.Call) -> None:
        name = name_of(node.func)
        match name:
            case "workflow.include":
                self._include(node)
            case "workflow.configfile":
                for value in self._values(node):
                    if value.known:
                        self.found.asked.append(Use(value.text, Place(self.file, value.line)))
            case "workflow.global_container":
                self.found.container = next(iter(self._values(node)), None)
            case "workflow.localrules":
                for value in self._values(node):
                    self.found.local[value.text] = Place(self.file, value.line)
            case "workflow.module" | "workflow.userule":
                self._elsewhere(node, name)
            case "min_version" | "snakemake.utils.min_version":
                for value in self._values(node):
                    self.found.called.append(Use(f"min_version:{value.text}", Place(self.file, value.line)))
            case _ if name.startswith("workflow."):
                self.found.called.append(Use(name, self._place(node)))
            case _ if name and "." not in name:
                self.found.called.append(Use(name, self._place(node)))

    def _include(self, node: ast.Call) -> None:
        for value in self._values(node):
            place = Place(self.file, value.line)
            if value.text.startswith(_OUTSIDE) or not value.known:
                self._unseen(place, "an included file", value.text.replace(UNKNOWN, "…"))
                continue
            path = _joined(self.folder, value.text)
            if path is None:
                self._unseen(place, "an included file", f"{value.text!r}, outside of what is checked")
                continue
            if not self.reader.included(path):
                self.found.whole = False
                self.found.wrong.append(
                    Finding(
                        "RL501",
                        place,
                        f"the included file {value.text!r}",
                        expected="a file of the analysis",
                        found="none",
                        next_step="correct the path: it is relative to this file",
                    )
                )
                continue
            self.found.asked.append(Use(path, place))
            self.reader.file(path, PurePosixPath(path).parent)

    def _elsewhere(self, node: ast.Call, name: str) -> None:
        if name == "workflow.module":
            self._unseen(self._place(node), "a module", "rules of another workflow")

    def _unseen(self, place: Place, what: str, found: str) -> None:
        self.found.whole = False
        self.found.unseen.append(
            Finding(
                "RL003",
                place,
                f"{what} isn't looked at",
                expected="a file of the analysis, named by its path",
                found=found,
                next_step="check it where it lies",
            )
        )

    def _rule(self, node: ast.FunctionDef) -> None:
        calls = [one for one in node.decorator_list if isinstance(one, ast.Call)]
        named = {name_of(one.func).removeprefix("workflow."): one for one in calls}
        head = named.get("rule") or named.get("userule")
        if head is None:
            return
        derived = "userule" in named
        words = {keyword.arg: keyword.value for keyword in head.keywords}
        name = next(evaluated(words["name_modifier" if derived else "name"], {})).text if words else ""
        sections: dict[str, tuple[Value, ...]] = {}
        lines: dict[str, int] = {}
        for key, call in named.items():
            if key in {"rule", "userule", "norun", "run"}:
                continue
            section = {"shellcmd": "shell", "singularity": "container"}.get(key, key)
            sections[section] = tuple(self._values(call))
            lines[section] = self._place(call).line or 1
        for decorator in node.decorator_list:
            if name_of(decorator) == "workflow.run":
                lines["run"] = self._place(decorator).line or 1
        acts = not ({"norun", "shellcmd", *_PROGRAMS} & named.keys()) and not derived
        place = self._place(head)
        base = _base(words) if derived else None
        self.found.rules.append(Rule(name, place, sections, lines, acts, derived, base))

    def _values(self, call: ast.Call) -> Iterator[Value]:
        given: list[tuple[str | None, ast.expr]] = [(None, one) for one in call.args]
        given += [(keyword.arg, keyword.value) for keyword in call.keywords]
        for name, node in given:
            starred = node.value if isinstance(node, ast.Starred) else node
            for value in evaluated(starred, self.known):
                yield replace(value, name=name, line=self.lines.get(value.line, value.line))


def _base(words: Mapping[str | None, ast.expr]) -> str | None:
    """Return the rule that `use rule` takes over, as the parser writes it; None if it isn't known."""
    rules = list(evaluated(words["rules"], {})) if "rules" in words else []
    here = isinstance(source := words.get("from_module"), ast.Constant) and source.value is None
    return rules[0].text if here and len(rules) == 1 else None


def _joined(folder: PurePosixPath, path: str) -> str | None:
    """Return a path relative to the analysis; None if it leads out of it."""
    parts: list[str] = []
    for part in (folder / path).parts:
        if part == "..":
            if not parts:
                return None
            parts.pop()
        elif part != ".":
            parts.append(part)
    joined = "/".join(parts)
    return None if joined.startswith("/") else joined
