"""Leaves out of a record what looks like a secret, and says where."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from relance import digest
from relance.checks.secret_values import REDACTED, TOKEN, is_known_token, is_placeholder, is_secret_key
from relance.model import UNKNOWN, JobRecord, Parameter, RunRecord

_GIVEN = re.compile(
    r"(?P<before>(?P<dashes>--?)?(?P<name>[A-Za-z_][\w.\-]*)(?:=|(?<=\w)[ \t]+(?=[^\s\-])))"
    r"(?P<value>'[^'\n]*'|\"[^\"\n]*\"|[^\s;&|<>()]+)"
)
_URL = re.compile(r"(://[^\s/:@]*:)([^\s/@]+)(@)")


def redacted(record: RunRecord) -> RunRecord:
    """Return a record without values that look like secrets, or whose names say that they are.

    Looked at are Snakemake's arguments, the configuration, and commands and parameters of jobs. Where one
    was, `‹redacted›` stands, and `run.redacted` names the place.
    """
    found: list[str] = []
    run = record.run
    if run.command != UNKNOWN:
        run = replace(run, command=_arguments(run.command, found))
    if run.configuration != UNKNOWN:
        before = len(found)
        configuration = _value(run.configuration, "configuration", found)
        if len(found) > before:
            run = replace(
                run, configuration=configuration, configuration_digest=digest.of_json(configuration)
            )
    jobs = tuple(_job(job, found) for job in record.jobs)
    return replace(record, run=replace(run, redacted=tuple(sorted({*run.redacted, *found}))), jobs=jobs)


def _arguments(words: Sequence[str], found: list[str]) -> tuple[str, ...]:
    kept: list[str] = []
    for word in words:
        option = kept[-1] if kept else ""
        after = option.startswith("-") and "=" not in option and is_secret_key(option)
        text = REDACTED if after and not word.startswith("-") else _text(word)
        if text != word:
            found.append("command")
        kept.append(text)
    return tuple(kept)


def _job(job: JobRecord, found: list[str]) -> JobRecord:
    name = job.rule
    if isinstance(job.command, str) and job.command != UNKNOWN:
        command = _text(job.command, but=frozenset((*job.inputs, *job.outputs, *job.logs)))
        if command != job.command:
            found.append(f"command of {name}")
            job = replace(job, command=command)
    if job.parameters != UNKNOWN:
        parameters = tuple(_parameter(item, name, found) for item in job.parameters)
        job = replace(job, parameters=parameters)
    return job


def _parameter(item: Parameter, job: str, found: list[str]) -> Parameter:
    place = f"parameter {item.name} of {job}"
    if item.name is not None and is_secret_key(item.name) and _is_given(item.value):
        found.append(place)
        return replace(item, value=REDACTED, exact=False)
    before = len(found)
    value = _value(item.value, place, found)
    return replace(item, value=value, exact=False) if len(found) > before else item


def _value(value: Any, place: str, found: list[str]) -> Any:
    """Return a value of JSON without its secrets."""
    if isinstance(value, Mapping):
        kept = {}
        for key, item in value.items():
            where = f"{place}, {key}"
            if is_secret_key(str(key)) and _is_given(item):
                found.append(where)
                kept[key] = REDACTED
            else:
                kept[key] = _value(item, where, found)
        return kept
    if isinstance(value, list | tuple):
        return [_value(item, place, found) for item in value]
    if isinstance(value, str):
        text = _text(value)
        if text != value:
            found.append(place)
        return text
    return value


def _is_given(value: object) -> bool:
    """Return whether a value that a name says is secret is one, and no placeholder."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return False
    return str(value) != "" and not is_placeholder(str(value))


def _text(text: str, but: frozenset[str] = frozenset()) -> str:
    """Return a text without tokens, passwords in URLs, and values that are given to secret names."""

    def left_out(match: re.Match[str]) -> str:
        value = match["value"].strip("'\"")
        is_folder = match["name"].lower() == "pwd" and value.startswith(("/", "."))  # as Apptainer takes it
        secret = is_secret_key(match["name"]) and value not in but and _is_given(value) and not is_folder
        # A word after another is a value only after an option.
        if not secret or not (match["dashes"] or match["before"].endswith("=")):
            return match[0]
        return f"{match['before']}{REDACTED}"

    text = _GIVEN.sub(left_out, text)
    if is_known_token(text):
        text = TOKEN.sub(REDACTED, text)
        text = _URL.sub(rf"\1{REDACTED}\3", text)
    return text
