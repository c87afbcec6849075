"""What a command or a text names: words that may be paths, folders it enters, modules that Python runs."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from functools import lru_cache

_COMMAND = re.compile(
    r"\s*(?:\w+=\S*\s+)*(?:\S*/)?(?:python|pypy|(?:ba|z|k|c|da)?sh\b|source\b|\.\s|exec\b|env\b|time\b|nice\b|cd\b|cat\b"
    r"|cp\b|Rscript|julia|perl|ruby|node\b|root\b|make\b|cmake|g\+\+|gcc|clang|awk|sed\b|yadage|snakemake|\S+\.\w+\s)"
)
_COMMENT = re.compile(r"^[ \t]*(?:#(?!\s*include\b)|//).*$|(?<=\s)#(?=\s)[^'\"\n]*$", re.MULTILINE)
_PIECE = re.compile(r"[^\s'\"`$(){}\[\]<>|;&,=:!?*#\\]+")
_ENTERED = re.compile(r"(?:\bcd|\bpushd|\s-C|--directory)[\s=]+([^\s;&|'\"]+)")
_ONLY_ENTERED = re.compile(r"\b(?:cd|pushd)\s+[^\s;&|'\"*]+(?=\s*(?:;|&|\||\)|\n))")
_SEARCH = re.compile(r"\bPYTHONPATH=['\"]?([^\s;&|'\"]+)")
_EXPANDED = re.compile(r"(?:\$\w+|[})`])['\"]?/" + f"({_PIECE.pattern})")  # as in $(dirname "$0")/common.sh
_PARAMETER = re.compile(r"\$\{(\w+)[%#][^{}\n]*\}")  # ${0%/*} and the like: what is cut off is no path
_LONG = 20_000  # characters; a longer text is no command, and the shell's quoting is slow to undo
_MODULE = re.compile(r"\s-m\s+([A-Za-z_][\w.]*)")
_MAKE = re.compile(r"(?:^|[\s;&|])(?:make|gmake)(?:\s|$)")
_SOURCED = re.compile(r"(?:^|[;&|\n])\s*\.\s+(?=\S)")  # `. file`: here the dot is no folder


@lru_cache(maxsize=4096)  # a run is looked at before and after it
def words(text: str) -> tuple[str, ...]:
    """Return every word of a text that may be a path, once each, in their order."""
    text = _PARAMETER.sub(r"$\1", text)
    if "*" not in text:  # which stands for what is in the folder
        text = _ONLY_ENTERED.sub("", text)
    return tuple(dict.fromkeys(_words(_SOURCED.sub(";", text))))


def without_comments(text: str) -> str:
    """Return a text without lines that are comments, and without what follows a # of its own.

    `#include` is none, nor is what a quote may hold.
    """
    return _COMMENT.sub("", text)


def of_text(text: str) -> tuple[str, ...]:
    """Return the words of a text inside a program that may be paths.

    Those of a command count all; in prose a name without a slash is only mentioned.
    """
    if " " not in text or _COMMAND.match(text):
        return (text, *words(text))
    return tuple(word for word in words(text) if "/" in word.strip("/"))


def entered(command: str) -> tuple[str, ...]:
    """Return the folders that a shell's command changes to."""
    return tuple(dict.fromkeys(_ENTERED.findall(command)))


def searched(command: str) -> tuple[str, ...]:
    """Return the folders of `PYTHONPATH=…` in a command."""
    found = [folder for value in _SEARCH.findall(command) for folder in value.split(":")]
    return tuple(dict.fromkeys(folder for folder in found if folder and "$" not in folder))


def modules(command: str) -> tuple[str, ...]:
    """Return what `python -m` names in a command."""
    return tuple(dict.fromkeys(_MODULE.findall(f" {command}")))


def makes(command: str) -> bool:
    """Return whether a command calls make, which reads a Makefile without being told."""
    return _MAKE.search(command) is not None


def _words(text: str) -> Iterator[str]:
    try:
        quoted = shlex.split(text) if len(text) < _LONG else []
    except ValueError:
        quoted = []
    yield from (word for word in quoted if " " in word and "\n" not in word)  # paths with spaces in them
    yield from _EXPANDED.findall(text)
    for piece in _PIECE.findall(text):
        yield piece
        if piece.startswith("-") and len(piece) > 2:  # as in -Iinclude
            yield piece[2:]
            yield piece.lstrip("-")  # as in ${LIBRARY:-scripts/library.sh}
        if piece[0] in "@%":
            yield piece[1:]
        if piece[-1] in "+.":  # ROOT compiles macro.C+
            yield piece.rstrip("+.")
        if "::" in text:
            yield piece.replace("::", "/")
