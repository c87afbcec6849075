"""What the Python expressions of a Snakefile say, as far as it is known without running them."""

from __future__ import annotations

import ast
import posixpath
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

UNKNOWN = "\ufffc"
"""Stands in a text for what only running would tell."""
_FLAGS = frozenset(
    (
        *("temp", "temporary", "directory", "protected", "pipe", "service", "touch", "ancient", "report"),
        *("ensure", "repeat", "local", "unpack", "nodelocal", "before_update", "update", "storage"),
    )
)


@dataclass(frozen=True)
class Value:
    """One value of a section."""

    text: str
    """With `UNKNOWN` where it isn't known."""
    line: int
    """In the generated code until the reader replaces it by that of the file."""
    name: str | None = None
    """Under which the rule gives it."""
    flags: frozenset[str] = frozenset()
    whose: str | None = None
    """The rule whose output it is, where it says no more (`rules.NAME.output`)."""

    @property
    def known(self) -> bool:
        """Whether all of the text is."""
        return UNKNOWN not in self.text


def constants(tree: ast.Module) -> dict[str, str]:
    """Return the names that a module gives one text, once, and never touches again."""
    found: dict[str, str] = {}
    spoilt: set[str] = set()
    for node in tree.body:
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            name = node.targets[0].id
            values = list(evaluated(node.value, found))
            if name not in found and len(values) == 1 and values[0].known and not values[0].flags:
                found[name] = values[0].text
                continue
            spoilt.add(name)
    times = Counter(
        node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    )
    return {name: text for name, text in found.items() if name not in spoilt and times[name] == 1}


def evaluated(node: ast.expr, known: Mapping[str, str]) -> Iterator[Value]:
    """Give the values of an expression, one for each item of a list; at least one, perhaps unknown."""
    match node:
        case ast.Constant(value=str(text)):
            yield Value(text, node.lineno)
        case ast.Constant(value=bool() | int() | float() as number):
            yield Value(str(number), node.lineno)
        case ast.JoinedStr():
            yield Value("".join(_piece(part, known) for part in node.values), node.lineno)
        case ast.Name(id=name):
            yield Value(known.get(name, UNKNOWN), node.lineno)
        case ast.BinOp(left=left, op=ast.Add(), right=right) if not _listed(left) and not _listed(right):
            yield Value(_one(left, known) + _one(right, known), node.lineno)
        case ast.BinOp(left=left, op=ast.Div(), right=right):
            yield Value(f"{_one(left, known)}/{_one(right, known)}", node.lineno)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            yield from evaluated(left, known)
            yield from evaluated(right, known)
        case ast.List(elts=items) | ast.Tuple(elts=items):
            for item in items:
                yield from evaluated(item, known)
        case ast.Call():
            yield from _called(node, known)
        case _:
            yield Value(UNKNOWN, node.lineno, whose=_maker(node))


def folders(tree: ast.Module, known: Mapping[str, str]) -> Iterator[str]:
    """Give the folders that a module makes outside of functions, `UNKNOWN` where that isn't known."""
    for statement in tree.body:
        if isinstance(statement, (ast.FunctionDef, ast.ClassDef)):
            continue
        for node in ast.walk(statement):
            match node:
                case ast.Call(
                    func=ast.Attribute(value=ast.Name(id="os"), attr="makedirs" | "mkdir"), args=args
                ):
                    path = args[0] if args else None
                case ast.Call(func=ast.Name(id="makedirs"), args=[path, *_]):
                    pass
                case ast.Call(func=ast.Attribute(value=path, attr="mkdir")):
                    pass
                case _:
                    path = None
            if path is not None:
                yield from (value.text for value in evaluated(path, known))


def name_of(node: ast.expr) -> str:
    """Return the dotted name that an expression is; empty if it is none."""
    match node:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=value, attr=attr):
            before = name_of(value)
            return f"{before}.{attr}" if before else ""
    return ""


def _maker(node: ast.expr) -> str | None:
    """Return the rule that `rules.NAME.output`, or a part of it, names; None if it isn't that."""
    whole = node.value if isinstance(node, ast.Subscript) else node
    match name_of(whole).split("."):
        case ["rules", rule, "output", *_]:
            return rule
    return None


def _called(node: ast.Call, known: Mapping[str, str]) -> Iterator[Value]:
    name = name_of(node.func)
    if name in _FLAGS and node.args:
        for value in evaluated(node.args[0], known):
            yield replace(value, flags=value.flags | {name})
    elif name in {"os.path.join", "join", "Path", "str", "pathlib.Path"} and node.args:
        pieces = [_one(argument, known) for argument in node.args]
        yield Value(posixpath.join(*pieces), node.lineno)
    elif name in {"expand", "collect"} and node.args:
        for value in evaluated(node.args[0], known):
            yield replace(value, text=_expanded(value.text))
    elif name == "multiext" and node.args and not node.keywords:
        start = _one(node.args[0], known)
        for argument in node.args[1:]:
            yield Value(start + _one(argument, known), node.lineno)
    else:
        yield Value(UNKNOWN, node.lineno)


def _one(node: ast.expr, known: Mapping[str, str]) -> str:
    values = list(evaluated(node, known))
    return values[0].text if len(values) == 1 else UNKNOWN


def _piece(part: ast.expr, known: Mapping[str, str]) -> str:
    match part:
        case ast.Constant(value=str(text)):
            return text
        case ast.FormattedValue(value=value, conversion=-1, format_spec=None):
            return _one(value, known)
    return UNKNOWN


def _expanded(text: str) -> str:
    """Return what `expand` makes of a pattern, every wildcard being unknown."""
    kept, depth = [], 0
    for sign in text.replace("{{", "\0").replace("}}", "\1"):
        if sign == "{":
            depth += 1
        elif sign == "}" and depth:
            depth -= 1
            kept.append(UNKNOWN)
        elif not depth:
            kept.append(sign)
    return "".join(kept).replace("\0", "{").replace("\1", "}")


def _listed(node: ast.expr) -> bool:
    return isinstance(node, (ast.List, ast.Tuple, ast.Call)) and not (
        isinstance(node, ast.Call) and name_of(node.func) in {"os.path.join", "str", "Path"}
    )
