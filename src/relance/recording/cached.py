"""Files of the analysis that Snakemake copies into its cache: told as the files that they are copies of.

`workflow.source_path(…)` gives the path of such a copy, another one in each run.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_CACHE = r"(?:/[^\s/'\"]+)*/snakemake-runtime-cache/[^\s/'\"]+/file"
_MARK = " (cached)"
"""What Snakemake's events put behind the path of the original."""


def original(fields: Mapping[str, Any], analysis: Path) -> Mapping[str, Any]:
    """Return what is told of a job, its inputs, command and parameters with the paths of the originals."""
    here = re.escape(str(analysis))
    copy = re.compile(rf"(?:{_CACHE}|{here}/\.snakemake/source-cache/file){here}/")
    found = dict(fields)
    if found.get("input"):
        found["input"] = [_path(path, copy, f"{analysis}/") for path in found["input"]]
    for name in ("shellcmd", "params"):
        if found.get(name):
            found[name] = _replaced(found[name], copy)
    return found


def _path(path: str, copy: re.Pattern[str], analysis: str) -> str:
    if path.endswith(_MARK):
        return path.removesuffix(_MARK).removeprefix(analysis)
    return copy.sub("", path)


def _replaced(value: Any, copy: re.Pattern[str]) -> Any:
    if isinstance(value, str):
        return copy.sub("", value)
    if isinstance(value, dict):
        return {key: _replaced(item, copy) for key, item in value.items()}
    return [_replaced(item, copy) for item in value] if isinstance(value, list) else value
