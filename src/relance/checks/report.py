"""What came of a check, and how it is written: for people, for programs, for GitHub."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from relance.checks.finding import Finding, Severity, Target

_LIMIT = 65_000  # characters; GitHub takes no longer message


@dataclass(frozen=True)
class Report:
    """All findings of an analysis."""

    root: Path
    target: Target | None
    findings: tuple[Finding, ...]
    silenced: tuple[Finding, ...]
    looked_at: tuple[str, ...]
    """Files, relative to the root."""

    def at_least(self, level: Severity) -> tuple[Finding, ...]:
        """Return the findings that are as bad as a level or worse."""
        return tuple(one for one in self.findings if one.severity.rank <= level.rank)

    def fails(self, *, strict: bool) -> bool:
        """Return whether there are errors; warnings count if it is strict."""
        worst = Severity.WARNING if strict else Severity.ERROR
        return bool(self.at_least(worst))


def as_json(report: Report) -> str:
    """Return a report as specs/schemas/check-report.schema.json has it, all findings of any severity."""
    counts = Counter(finding.severity for finding in report.findings)
    content = {
        "format": "check-report",
        "version": 1,
        "for": report.target.value if report.target else None,
        "counts": {severity.value: counts[severity] for severity in Severity},
        "silenced": len(report.silenced),
        "files": list(report.looked_at),
        "findings": [_finding(one) for one in report.findings],
    }
    return json.dumps(content, indent=1, ensure_ascii=False)


def as_text(report: Report, level: Severity, shown: Callable[[str], str]) -> str:
    """Return a report for people; `shown` gives a file's path as they would type it."""
    lines = []
    for finding in report.at_least(level):
        place = str(finding.place).removeprefix(finding.place.file)
        lines.append(f"{shown(finding.place.file)}{place}: {finding.severity} {finding.code}: {finding}")
    return "\n".join([*lines, _summary(report, level)])


def as_github(report: Report, level: Severity, shown: Callable[[str], str]) -> str:
    """Return a report as commands of a GitHub workflow, which annotates the lines of files."""
    lines = []
    for finding in report.at_least(level):
        kind = "notice" if finding.severity is Severity.NOTE else finding.severity.value
        place = finding.place
        named = {"file": shown(place.file), "line": place.line, "col": place.column, "title": finding.code}
        properties = ",".join(f"{key}={_property(str(value))}" for key, value in named.items() if value)
        lines.append(f"::{kind} {properties}::{_data(str(finding)[:_LIMIT])}")
    return "\n".join([*lines, _data(_summary(report, level))])


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "code": finding.code,
        "severity": finding.severity.value,
        "title": finding.kind.title,
        "file": finding.place.file,
        "line": finding.place.line,
        "column": finding.place.column,
        "subject": finding.subject,
        "expected": finding.expected,
        "found": finding.found,
        "next_step": finding.next_step,
    }


def _summary(report: Report, level: Severity) -> str:
    counts = Counter(finding.severity for finding in report.findings)
    told = [
        f"{counts[severity]} {severity}{'s' if counts[severity] != 1 else ''}"
        for severity in Severity
        if counts[severity] or severity is not Severity.NOTE
    ]
    hidden = len(report.findings) - len(report.at_least(level))
    more = [f"{hidden} not shown: --level note" if hidden else ""]
    more.append(f"{len(report.silenced)} silenced" if report.silenced else "")
    files = f"{len(report.looked_at)} file{'s' if len(report.looked_at) != 1 else ''}"
    return "; ".join(filter(None, [f"{', '.join(told)} in {files}", *more]))


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
