"""Scripts in jq, run by the program `jq` without a network, an environment or modules."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from functools import cache

from relance.languages.model import Json, PlanError

_MOST_SECONDS = 60


def values(script: str, value: Json) -> list[Json]:
    """Return all that a script gives for a value.

    Raises:
        PlanError: there is no program `jq`, or the script fails.
    """
    if script.strip() == ".":
        return [value]
    return list(json.loads(_output(script, json.dumps(value, sort_keys=True))))


def first(script: str, value: Json) -> Json:
    """Return the first value that a script gives.

    Raises:
        PlanError: there is no program `jq`, the script fails, or gives nothing.
    """
    found = values(script, value)
    if not found:
        raise PlanError(f"the jq script {script!r} gives no value")
    return found[0]


def check(script: str) -> None:
    """Refuse a script that reads files.

    Raises:
        PlanError: it imports modules, or reads more input.
    """
    if word := re.search(r"\b(import|include|input|inputs|input_filename|env|\$ENV)\b|\$ENV\b", script):
        raise PlanError(f"the jq script {script!r} uses '{word[0]}', which isn't allowed")


@cache
def _output(script: str, text: str) -> str:
    check(script)
    program = shutil.which("jq")
    if program is None:
        raise PlanError(f"the jq script {script!r} needs the program 'jq', which isn't there; install it")
    try:
        done = subprocess.run(
            [program, "-c", f"[\n{script}\n]"],
            input=text,
            capture_output=True,
            text=True,
            env={},
            timeout=_MOST_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise PlanError(f"the jq script {script!r} hasn't ended in {_MOST_SECONDS} s") from error
    if done.returncode:
        raise PlanError(f"the jq script {script!r} fails: {done.stderr.strip()[:200]}")
    return done.stdout
