"""What a Python file may reach: modules it imports, paths and texts it names, whether it computes any."""

from __future__ import annotations

import ast
import json
import os
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

_DYNAMIC_MODULES = frozenset(("importlib", "imp", "runpy", "pkgutil", "pkg_resources", "zipimport"))
_HARMLESS = frozenset(("metadata",))  # of importlib: it tells versions of packages
_DYNAMIC_CALLS = frozenset(("exec", "eval", "compile", "__import__", "execfile"))
_DYNAMIC_NAMES = frozenset(("__path__", "__loader__", "__spec__"))
_LOOKUPS = frozenset(
    ("get", "pop", "setdefault", "add_argument", "getattr", "hasattr", "setattr", "startswith", "endswith")
)
_OPENERS = frozenset(
    ("Path", "PurePath", "listdir", "scandir", "walk", "fwalk", "glob", "iglob", "rglob", "chdir", "copytree")
)
_SEARCHED = {"insert": "sys.path", "append": "sys.path", "extend": "sys.path", "addsitedir": "site"}
_PLACEHOLDER = re.compile(r"[{%]")
_IMPORT_LINE = re.compile(r"\b(?:from|import)\s+(\.*)([A-Za-z_][\w.]*)?")


@dataclass(frozen=True)
class Import:
    """One `import`, or `from … import …`."""

    name: str
    """Dotted; empty in `from . import x`."""
    level: int = 0
    """How many dots stand before."""
    names: tuple[str, ...] = ()
    """What `from` takes: names that may be modules, or `*`."""


@dataclass(frozen=True)
class PythonFacts:
    """What stands in a Python file, before it is known what of it exists."""

    imports: tuple[Import, ...]
    places: tuple[str, ...]
    """Absolute paths, computed from `__file__`, that are used."""
    files: tuple[str, ...]
    """Texts that may name a file, relative to the module's folder or the analysis."""
    folders: tuple[str, ...]
    """Texts that may name a folder."""
    search: tuple[str, ...]
    """What is added to `sys.path`."""
    dynamic: bool
    """Whether modules or paths are computed in ways that can't be followed."""


@lru_cache(maxsize=1024)  # a run is looked at before and after it
def facts(path: Path, text: str) -> PythonFacts:
    """Return what stands in the Python file or notebook `path`, whose content is `text`."""
    source = _cells(text) if path.suffix == ".ipynb" else text
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return PythonFacts(imports_of_text(source), (), (), (), (), dynamic=True)
    reader = _Reader(path)
    reader.read(tree)
    return PythonFacts(
        tuple(dict.fromkeys(reader.imports)),
        _once(reader.places),
        _once(reader.files),
        _once(reader.folders),
        _once(reader.search),
        reader.dynamic,
    )


def imports_of_text(text: str) -> tuple[Import, ...]:
    """Return what looks like an import in a text that isn't Python, or holds it among other things."""
    found = [Import(match[2] or "", len(match[1])) for match in _IMPORT_LINE.finditer(text)]
    return tuple(dict.fromkeys(item for item in found if item.name or item.level))


def _once(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(texts))


def _cells(text: str) -> str:
    """Return the code of a notebook, without what is IPython's own."""
    try:
        cells = [cell for cell in json.loads(text)["cells"] if cell["cell_type"] == "code"]
        lines = "\n".join("".join(cell["source"]) for cell in cells).splitlines()
    except (ValueError, KeyError, TypeError):
        return text
    # What such a line names is kept as a text.
    return "\n".join(repr(line) + ".strip()" if line.lstrip()[:1] in {"%", "!"} else line for line in lines)


class _Reader:
    """Walks the tree of a file."""

    def __init__(self, path: Path) -> None:
        self._path = str(path)
        self.imports: list[Import] = []
        self.places: list[str] = []
        self.files: list[str] = []
        self.folders: list[str] = []
        self.search: list[str] = []
        self.dynamic = False
        self._bound: dict[str, ast.expr] = {}
        self._evaluating: set[str] = set()

    def read(self, tree: ast.Module) -> None:
        nodes = list(ast.walk(tree))
        names = Counter(
            node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
        )
        names.update(node.arg for node in nodes if isinstance(node, ast.arg))
        for node in nodes:
            target = node.targets[0] if isinstance(node, ast.Assign) and len(node.targets) == 1 else None
            target = node.target if isinstance(node, ast.AnnAssign) else target
            if isinstance(target, ast.Name) and names[target.id] == 1 and node.value:  # type: ignore[attr-defined]
                self._bound[target.id] = node.value  # type: ignore[attr-defined]
        self._visit(tree, None)

    def _visit(self, node: ast.AST, parent: ast.AST | None) -> None:  # noqa: PLR0912 - one for each kind of node
        if isinstance(node, ast.Import):
            for alias in node.names:
                self._imported(Import(alias.name))
            return
        if isinstance(node, ast.ImportFrom):
            self._imported(Import(node.module or "", node.level, tuple(alias.name for alias in node.names)))
            return
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            return  # a docstring
        if isinstance(node, ast.Call) and self._is_search(node):
            return
        if isinstance(node, ast.Assign | ast.AugAssign) and self._sets_search(node):
            return
        if isinstance(node, ast.Name) and node.id in _DYNAMIC_NAMES:
            self.dynamic = True
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _DYNAMIC_CALLS:
            self.dynamic = True
        if isinstance(node, ast.List | ast.Tuple):
            self._after_m(node)
        if isinstance(node, ast.expr) and not isinstance(getattr(node, "ctx", None), ast.Store):
            value = self._value(node)
            if value is not None:
                self._named(value, node, parent)
                return
            if isinstance(node, ast.JoinedStr):
                self._formatted(node)
        for child in ast.iter_child_nodes(node):
            if not isinstance(child, ast.expr_context):  # half of all nodes, and they say nothing
                self._visit(child, node)

    def _imported(self, found: Import) -> None:
        first, *further = found.name.split(".")
        told = set(further[:1] or found.names)
        if found.level == 0 and first in _DYNAMIC_MODULES and not (told and told <= _HARMLESS):
            self.dynamic = True
        self.imports.append(found)

    def _named(self, value: str, node: ast.expr, parent: ast.AST | None) -> None:
        """Note a path or text that an expression stands for."""
        bound = isinstance(parent, ast.Assign | ast.AnnAssign) and node in self._bound.values()
        if os.path.isabs(value):
            if value == self._path:
                self.dynamic |= not (isinstance(parent, ast.Attribute) and parent.attr in {"name", "stem"})
            elif not (bound and Path(value).is_dir()):
                self.places.append(value)
            return
        self.files.append(value)
        start = _PLACEHOLDER.split(value, maxsplit=1)[0]
        if start != value:
            if "/" in start:
                self.folders.append(start.rpartition("/")[0])
        elif not bound and ("/" in value.strip("./") or _may_be_folder(value, node, parent)):
            self.folders.append(value)

    def _formatted(self, node: ast.JoinedStr) -> None:
        """Note the folder that a computed text begins with."""
        known = ""
        for part in node.values:
            value = self._value(part.value if isinstance(part, ast.FormattedValue) else part)
            if value is None:
                break
            known += value
        folder = known.rpartition("/")[0]
        if folder:
            (self.places if os.path.isabs(folder) else self.folders).append(folder)

    def _after_m(self, node: ast.List | ast.Tuple) -> None:
        texts = [item.value if isinstance(item, ast.Constant) else None for item in node.elts]
        for option, module in pairwise(texts):
            if option == "-m" and isinstance(module, str):
                self.imports.append(Import(module))
                self.imports.append(Import(f"{module}.__main__"))

    def _is_search(self, node: ast.Call) -> bool:
        """Return whether a call changes where modules are sought; what it adds is noted."""
        if not isinstance(node.func, ast.Attribute) or node.func.attr not in _SEARCHED:
            return False  # most calls: to write out what is called takes a while
        if ast.unparse(node.func.value) != _SEARCHED[node.func.attr]:
            return False
        for argument in node.args:
            self._searched(argument)
        return True

    def _sets_search(self, node: ast.Assign | ast.AugAssign) -> bool:
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        if not any(ast.unparse(target).startswith("sys.path") for target in targets):
            return False
        self._searched(node.value)
        return True

    def _searched(self, node: ast.expr) -> None:
        value = self._value(node)
        if value is not None:
            self.search.append(value)
        elif not isinstance(node, ast.Constant):
            for child in ast.iter_child_nodes(node):
                if isinstance(child, ast.expr):
                    self._searched(child)

    def _value(self, node: ast.AST) -> str | None:
        """Return the text or path that an expression stands for, if that can be told."""
        match node:
            case ast.Constant(value=str(text)):
                return text
            case ast.Name(id="__file__"):
                return self._path
            case ast.Name(id=name) if name in self._bound and name not in self._evaluating:
                self._evaluating.add(name)
                try:
                    return self._value(self._bound[name])
                finally:
                    self._evaluating.discard(name)
            case ast.BinOp(left=left, op=ast.Div() | ast.Add() as operator, right=right):
                parts = self._values([left, right])
                if parts is None:
                    return None
                return "".join(parts) if isinstance(operator, ast.Add) else _joined(parts)
            case ast.JoinedStr(values=values):
                inner = [part.value if isinstance(part, ast.FormattedValue) else part for part in values]
                found = self._values(inner)
                return None if found is None else "".join(found)
            case ast.Attribute(value=value, attr="parent"):
                return self._above(value, 1)
            case ast.Subscript(
                value=ast.Attribute(value=value, attr="parents"), slice=ast.Constant(value=int(at))
            ):
                return self._above(value, at + 1)
            case ast.Call():
                return self._called(node)
        return None

    def _values(self, nodes: Iterable[ast.AST]) -> list[str] | None:
        found = [self._value(node) for node in nodes]
        return None if None in found else [value for value in found if value is not None]

    def _above(self, node: ast.AST, times: int) -> str | None:
        value = self._value(node)
        for _ in range(times if value is not None else 0):
            value = os.path.dirname(str(value))
        return value

    def _called(self, node: ast.Call) -> str | None:
        if node.keywords:
            return None
        name = node.func.attr if isinstance(node.func, ast.Attribute) else ast.unparse(node.func)
        owner = ast.unparse(node.func.value) if isinstance(node.func, ast.Attribute) else ""
        if not isinstance(node.func, ast.Attribute) or owner in {"", "os", "os.path", "path", "pathlib"}:
            parts = self._values(node.args)
            if not parts:
                return None
            match name:
                case "Path" | "PurePath" | "PosixPath" | "join":
                    return _joined(parts)
                case "str" | "fspath" | "abspath" | "realpath" | "normpath" | "expanduser":
                    return _joined(parts[:1])
                case "dirname":
                    return os.path.dirname(parts[0])
            return None
        parts = self._values([node.func.value, *node.args])
        if parts is None:
            return None
        match name, parts:
            case (("resolve" | "absolute" | "as_posix" | "expanduser"), [base]):
                return base
            case "joinpath", _:
                return _joined(parts)
            case "with_name", [base, other]:
                return _joined([os.path.dirname(base), other])
            case "with_suffix", [base, suffix]:
                return os.path.splitext(base)[0] + suffix
        return None


def _joined(parts: list[str]) -> str:
    return os.path.normpath(os.path.join(*parts)) if parts != [""] else ""


def _may_be_folder(value: str, node: ast.expr, parent: ast.AST | None) -> bool:
    """Return whether a bare word is used as the name of a folder may be, and not as a key."""
    called = parent.func if isinstance(parent, ast.Call) else None
    name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
    if not value.strip("./"):  # too common in texts to mean a folder, but where one is opened
        return isinstance(node, ast.Call) or name in _OPENERS
    if isinstance(node, ast.Constant) and isinstance(parent, ast.Attribute):
        return False  # a method of a text
    match parent:
        case ast.Subscript() | ast.Compare():
            return False
        case ast.Dict(keys=keys):
            return node not in keys
    return name not in _LOOKUPS
