"""Scripts in jq, run by the program `jq` without an environment; in brackets, where none can load modules."""

from __future__ import annotations

import json
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
        return [_numbers(value)]
    return [_numbers(one) for one in json.loads(_output(script, json.dumps(value)))]


def first(script: str, value: Json) -> Json:
    """Return the first value that a script gives.

    Raises:
        PlanError: there is no program `jq`, the script fails, or gives nothing.
    """
    found = values(script, value)
    if not found:
        raise PlanError(f"the jq script {script!r} gives no value")
    return found[0]


def _numbers(value: Json) -> Json:
    """Return a value with its numbers as jq has them: of double precision, whole ones as integers."""
    if isinstance(value, dict):
        return {key: _numbers(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_numbers(item) for item in value]
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return value
    try:
        number = float(value)
        return int(number) if number.is_integer() else number
    except OverflowError as error:
        raise PlanError(f"the number {value} is too large for jq") from error


@cache
def _output(script: str, text: str) -> str:
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
