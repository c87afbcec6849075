"""Shell commands, looked at as text: what stands in quotes apart from what the shell acts on."""

from __future__ import annotations

import posixpath
import re
from bisect import bisect

# Where a command begins: after what ends another, or a word of the shell's, and variables for it alone.
_HEAD = (
    r"(?:^|[;&|\n(]|(?<![\w./-])(?:if|then|do|else|elif|while|until|!|\{|time|exec|nohup|command|env)(?=\s))[^\S\n]*"
    r"(?:\w+=\S*[^\S\n]+)*"
)
_ROOT = re.compile(
    _HEAD
    + r"(?P<what>(?:apt-get|apt|yum|dnf|microdnf|apk|zypper)\s+(?:-\S+\s+)*(?:install|update|upgrade|add)\b"
    r"|(?:useradd|groupadd|adduser|usermod|mount)\b|chown\s+(?:-\S+\s+)*(?:root|0)\b)"
)
_SUDO = re.compile(_HEAD + r"(?P<what>sudo)\s")
_ABSOLUTE = re.compile(r"(?:^|[;&|\n(])[^\S\n]*(?P<what>cd\s+/[^\s;&|)]*)")
_HOME = re.compile(
    r"(?:^|[;&|\n(])[^\S\n]*(?:source|\.|bash|sh)\s+(?P<what>(?:~|\$HOME|\$\{+HOME\}+)/[^\s;&|)]+)"
)
_PIPE = re.compile(r"(?<![|>\\])\|(?!\|)")
_LOGIN = re.compile(
    r"\b(?:echo|printf)\s+(?:-\w+\s+|['\"]%s(?:\\n)?['\"]\s+)*(?P<quote>['\"]?)(?P<what>[^\s'\"|<>]{3,})(?P=quote)\s*"
    r"\|\s*(?:kinit|voms-proxy-init|sudo\s+-S)\b"
)
_HARMLESS = re.compile(r"\s*(?:\w+\s*\(\)\s*\{+\s*)?(?:\w+=\S*\s+)*(?:echo|printf|yes|true|:)(?:\s|$)")
_STATEMENT = re.compile(r"&&|;|\n|\bthen\b|\bdo\b|\belse\b|(?<![>&])&(?![>&])")
_MAKES = re.compile(
    r"\bmkdir\b|\binstall\s+(?:-\S+\s+)*-\w*[dD]\b|\bmakedirs\b|\bcreate_directories\b|\bos\.mkdir\b"
    r"|\bMakeDirectory\b|(?<!\S)--(?:parents|create-dirs|mkpath)\b"
)
_MKDIR = re.compile(r"mkdir\s+(?:-\S+\s+)*(?P<what>[^;&|<>\n()]*)")
_SAID = re.compile(r"(?:^|[;&|\n({])\s*(?:echo|printf)\s[^;&|\n]*$")
_BEFORE = 400  # characters in which a command's first word is looked for
_ELSEWHERE = re.compile(r"\b(?:cd|pushd)\b")
_NO_PIPE = re.compile(r"\bcase\b.{0,2000}?\besac\b|\[\[\s.{0,1000}?\s\]\]", re.DOTALL)
_SET = re.compile(r"(?<![\w-])(?P<sign>[-+])[A-Za-z]*o\s+pipefail\b")
_HEREDOC = re.compile(r"(?<!<)<<(?!<)-?[ \t]*(?P<quote>['\"\\]?)(?P<end>[A-Za-z_]\w*)")
_SHELL = re.compile(r"\b(?:ba|da|z|k)?sh\b[^|]*$")


def bare(command: str) -> str:
    """Return a command with what is quoted, substituted or a comment replaced by spaces; newlines stay.

    Its length is that of the command. A text after `<<` is taken for quoted, unless a shell reads it.
    """
    return _scanned(_without_texts(command))[0]


def _scanned(command: str) -> tuple[str, list[tuple[int, int]]]:
    """Return a command without what is quoted, substituted or a comment, and where its comments stand."""
    comments: list[tuple[int, int]] = []
    kept: list[str] = []
    closing: list[str] = []  # what ends the quotes and substitutions that are open
    at = 0
    while at < len(command):
        sign = command[at]
        if sign == "\\" and closing[-1:] != ["'"]:
            kept.append("  "[: len(command) - at])
            at += 2
            continue
        if closing and sign == closing[-1]:
            closing.pop()
            kept.append(" ")
        elif closing[-1:] == ["'"]:
            kept.append(_blank(sign))
        elif command.startswith("$(", at) and not command.startswith("$((", at):
            closing.append(")")
            kept.append("  ")
            at += 2
            continue
        elif sign in "'\"`" and not (sign == "'" and '"' in closing[-1:]):
            closing.append(sign)
            kept.append(" ")
        elif sign == "(" and closing[-1:] == [")"]:
            closing.append(")")
            kept.append(" ")
        elif sign == "#" and not closing and (at == 0 or command[at - 1].isspace()):
            end = command.find("\n", at)
            end = len(command) if end < 0 else end
            kept.append(" " * (end - at))
            comments.append((at, end))
            at = end
            continue
        else:
            kept.append(_blank(sign) if closing else sign)
        at += 1
    return "".join(kept), comments


def hidden_failure(command: str) -> int | None:
    """Return where a pipe stands that hides whether a command before it fails; None if there is none.

    Not counted: where `pipefail` is set or the status of each is asked for, what is only printed
    (`echo … |`), and what is followed by `||`.
    """
    if "PIPESTATUS" in command or re.match(r"#!.*pipefail", command.lstrip()):
        return None
    text = _NO_PIPE.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), bare(command))
    text = re.sub(r"\\\n|(?<=\|)[ \t]*\n", lambda match: " " * len(match[0]), text)
    places = [match.start() for match in _SET.finditer(text)]
    signs = [match["sign"] for match in _SET.finditer(text)]
    start = 0
    for end in [*(match.start() for match in _STATEMENT.finditer(text)), len(text)]:
        statement = text[start:end]
        pipes = [match.start() for match in _PIPE.finditer(statement)]
        if pipes and "||" not in statement and not _tested(statement):
            before = re.split(_PIPE, statement)[:-1]
            harmless = all(_HARMLESS.match(part.strip("{( \t;&\n")) for part in before)
            last = bisect(places, start + pipes[0]) - 1
            if not harmless and (last < 0 or signs[last] == "+"):
                return start + pipes[0]
        start = end
    return None


def needs_root(command: str) -> tuple[int, str] | None:
    """Return where and what only root can do; None if there is nothing."""
    return _found(_ROOT, command)


def asks_sudo(command: str) -> tuple[int, str] | None:
    """Return where `sudo` is called; None if it isn't."""
    return _found(_SUDO, command)


def password(command: str) -> int | None:
    """Return where a password is written out that a program which logs in reads; None if there is none."""
    found = _LOGIN.search(command)
    if found is None or any(sign in found["what"] for sign in "${}`\\"):
        return None
    return found.start("what")


def leaves_workspace(command: str) -> tuple[int, str] | None:
    """Return where a command goes to an absolute folder; None if it doesn't."""
    return _found(_ABSOLUTE, command)


def reads_home(command: str) -> tuple[int, str] | None:
    """Return where a command runs a script of its home folder; None if it doesn't."""
    return _found(_HOME, command)


def makes_folders(text: str) -> bool:
    """Return whether a command, or the text of a program, makes folders."""
    return _MAKES.search(text) is not None


def made_folders(command: str) -> frozenset[str] | None:
    """Return the folders that a command makes; None if not all of them are named outright after `mkdir`."""
    made: set[str] = set()
    comments = _scanned(command)[1]
    begins = [start for start, _ in comments]
    for found in _MAKES.finditer(command):
        before = command[max(found.start() - _BEFORE, 0) : found.start()]
        last = bisect(begins, found.start()) - 1
        if _SAID.search(before) or (last >= 0 and found.start() < comments[last][1]):
            continue
        named = _MKDIR.match(command, found.start())
        if named is None or set("${}`*?[\\") & set(named["what"]) or _ELSEWHERE.search(command):
            return None
        for word in named["what"].replace('"', " ").replace("'", " ").split():
            parts = posixpath.normpath(word).split("/")
            made |= {"/".join(parts[:end]) for end in range(1, len(parts) + 1)}
    return frozenset(made)


def _found(pattern: re.Pattern[str], command: str) -> tuple[int, str] | None:
    found = pattern.search(bare(command))
    return (found.start("what"), " ".join(found["what"].split())) if found else None


def _tested(statement: str) -> bool:
    """Return whether a pipe's status is asked for: there the last command's is what is meant."""
    return re.match(r"[\s&;]*(?:if|while|until|elif|!)\b", statement) is not None


def _blank(sign: str) -> str:
    return sign if sign == "\n" else " "


def _without_texts(command: str) -> str:
    """Return a command with spaces for the texts after `<<` that no shell reads."""
    kept: list[str] = []
    end: str | None = None
    for row in command.split("\n"):
        if end is not None and row.strip() != end:
            kept.append(" " * len(row))
            continue
        kept.append(row)
        found = _HEREDOC.search(row) if end is None else None
        end = found["end"] if found and not _SHELL.search(row[: found.start()]) else None
    return "\n".join(kept) if end is None else command  # without its end, it was something else
