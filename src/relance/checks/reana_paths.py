"""The paths that a reana.yaml names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from relance.checks.finding import Finding
from relance.checks.reana_file import SENT, Listed, ReanaFile

_KEPT = frozenset((".snakemake", "_yadage", ".git", ".relance"))


def check(found: ReanaFile) -> Iterator[Finding]:
    """Give the paths of a reana.yaml that lead elsewhere, aren't there, or are named twice."""
    sent: dict[str, Listed] = {}
    lists = (*SENT, ("outputs", "files"), ("outputs", "directories"), ("tests", "files"))
    named = [listed for keys in lists for listed in found.listed(*keys)]
    if isinstance(workflow := found.workflow, str):
        named.append(Listed(("workflow", "file"), workflow, found.place("workflow", "file")))
    given = found.part("inputs", "parameters", "input")
    if isinstance(given, str) and found.language in {"snakemake", "cwl"}:
        named.append(Listed(("workflow", "input"), given, found.place("inputs", "parameters", "input")))
    for listed in named:
        if listed.path.startswith(("/", "~")) or ".." in listed.path.split("/") or not listed.path:
            yield Finding(
                "RL401",
                listed.place,
                f"the path {listed.path!r}",
                expected="a path inside the analysis",
                found="one that leads elsewhere",
                next_step="copy it into the analysis and name it relative to this file",
            )
            continue
        if listed.keys[0] == "outputs":
            yield from _output(found, listed)
            continue
        yield from _present(found.root, listed)
        if listed.keys[0] == "inputs" and listed.plain.split("/")[0] in _KEPT:
            yield _kept(listed)
        if listed.keys in {("inputs", "files"), ("inputs", "directories")}:
            yield from _twice(listed, sent)
            sent.setdefault(listed.plain, listed)


def _present(root: Path, listed: Listed) -> Iterator[Finding]:
    path = root / listed.plain
    if "*" in listed.path and not path.exists():
        return
    wanted = path.is_dir() if listed.folder else path.is_file()
    if not wanted:
        other = "a file" if path.is_file() else "a folder" if path.is_dir() else ""
        right = "files" if path.is_file() else "directories"
        yield Finding(
            "RL402",
            listed.place,
            f"the path {listed.path!r}",
            expected="a folder of the analysis" if listed.folder else "a file of the analysis",
            found=other or "nothing of this name",
            next_step=f"name it below '{right}'" if other else "correct it, or remove it",
        )


def _twice(listed: Listed, before: Mapping[str, Listed]) -> Iterator[Finding]:
    parts = listed.plain.split("/")
    around = ["/".join(parts[:end]) for end in range(1, len(parts) + 1)]
    inside = [path for path in before if listed.folder and path.startswith(f"{listed.plain}/")]
    for path in (
        *[one for one in around if one in before and (one == listed.plain or before[one].folder)],
        *inside,
    ):
        yield Finding(
            "RL403",
            listed.place,
            f"the path {listed.path!r}",
            expected="each file once",
            found=f"it and {before[path].path!r} (line {before[path].place.line})",
            next_step="remove one of both",
        )
        return


def _output(found: ReanaFile, listed: Listed) -> Iterator[Finding]:
    if listed.plain.split("/")[0] in _KEPT:
        yield _kept(listed)
    for keys in SENT[:2]:
        for sent in found.listed(*keys):
            if sent.plain == listed.plain:
                yield Finding(
                    "RL404",
                    listed.place,
                    f"output {listed.path!r}",
                    expected="something that the run makes",
                    found=f"an input (line {sent.place.line})",
                    next_step="take it off the inputs, or the outputs",
                )
            elif sent.folder and _within(listed.plain, sent.plain) and (found.root / listed.plain).exists():
                yield Finding(
                    "RL404",
                    listed.place,
                    f"output {listed.path!r}",
                    expected="something that the run makes",
                    found=f"what is there already, in a folder that is sent (line {sent.place.line})",
                    next_step="remove what an earlier run left, or name the folder's inputs one by one",
                )


def _within(path: str, folder: str) -> bool:
    return folder == "." or path.startswith(f"{folder}/")


def _kept(listed: Listed) -> Finding:
    return Finding(
        "RL410",
        listed.place,
        f"the path {listed.path!r}",
        expected="a path of the analysis",
        found="one where a program keeps what is its own",
        next_step="name another",
    )
