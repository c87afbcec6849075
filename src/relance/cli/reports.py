"""How the report of a verification is told."""

from __future__ import annotations

import json

import click

from relance.capsule.encoding import encode
from relance.cli import comparing
from relance.errors import ExitCode
from relance.model import UNKNOWN
from relance.results.figures import shown_size, written
from relance.store.descriptors import Descriptor
from relance.verify.model import Machine, Report, ReportedResult, Verdict


def as_json(report: Report) -> str:
    """Return it as JSON."""
    return json.dumps(encode(report), indent=2, sort_keys=True, ensure_ascii=False)


def tell(report: Report, kept: Descriptor | None) -> None:
    """Print it for people; `kept` is where it is kept in the store, if it is."""
    integrity = report.integrity
    click.echo(f"{report.analysis or 'capsule'}  {report.capsule}")
    state = f"{len(integrity.problems)} damaged or wrong" if integrity.problems else "all as they were"
    click.echo(f"whole: {integrity.blobs} blobs, {shown_size(integrity.size)} read, {state}")
    for problem in integrity.problems:
        click.echo(f"  {problem.what}: expected {problem.expected}, found {problem.found}")
    if integrity.by_digest_only:
        click.echo(f"  {integrity.by_digest_only} files are known by digest only")
    if report.captured_on is not None:
        click.echo(f"captured on: {_machine(report.captured_on)}")
    if report.rerun_on is not None:
        same = report.captured_on is not None and report.captured_on.processor == report.rerun_on.processor
        note = "" if same else "; another processor, so that tolerances decide, not bits"
        click.echo(f"run again on: {_machine(report.rerun_on)}{note}")
    if report.products:
        tiers = comparing.counted(product.tier for product in report.products)
        click.echo(f"{len(report.products)} products: {tiers}")
        for line in comparing.lines(report.products):
            click.echo(line)
    if report.results:
        click.echo(f"results{f' of case {report.case}' if report.case else ''}:")
        for result in report.results:
            click.echo(f"  {_result(result)}")
    for what in report.not_closed:
        click.echo(f"not closed: {what}")
    if report.message:
        click.echo(report.message)
    click.echo(f"verdict: {report.verdict}")
    if kept is not None:
        click.echo(f"report: {kept.digest}")


def conclusion(report: Report) -> ExitCode:
    """Return the exit status that its verdict asks for."""
    return {
        Verdict.INTACT: ExitCode.OK,
        Verdict.REPRODUCED: ExitCode.OK,
        Verdict.WITHIN: ExitCode.OK,
        Verdict.DIFFERS: ExitCode.FAILED,
        Verdict.FAILED: ExitCode.FAILED,
        Verdict.DAMAGED: ExitCode.BAD_INPUT,
        Verdict.NOT_CLOSED: ExitCode.MISSING_PART,
        Verdict.UNDECIDED: ExitCode.MISSING_PART,
    }[report.verdict]


def _machine(machine: Machine) -> str:
    known = " ".join(part for part in (machine.runtime, machine.runtime_version) if part != UNKNOWN)
    return f"{machine.processor}, {machine.platform}, {known or 'nobody knows in what'}"


def _result(result: ReportedResult) -> str:
    if result.remark:
        return f"{result.name}: {result.remark}{'' if result.agrees else '; they differ'}"
    unit = f" {written(result.unit)}".rstrip()
    numbers = [" ".join("none" if value is None else f"{value:.9g}" for value in side)
               for side in (result.expected, result.found)]  # fmt: skip
    within = f", within {result.tolerance:.3g}{unit}" if result.tolerance else ""
    judged = f"agrees{within}" if result.agrees else f"DIFFERS{within}"
    return f"{result.name}: {numbers[0]} → {numbers[1]}{unit}: {'the same' if result.equal else judged}"
