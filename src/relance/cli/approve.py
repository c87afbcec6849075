"""`relance approve`."""

from __future__ import annotations

import os
import time
from pathlib import Path

import click

from relance.cli import places
from relance.errors import ExitCode, InputError

_LONGEST_COMMENT = 10_000


@click.command()
@click.argument("capsule")
@click.option("--by", metavar="NAME", required=True, help="Who approves.")
@click.option("--comment", metavar="TEXT", default="", help="What there is to say.")
@places.STORE
@click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors.")
def approve(capsule: str, by: str, comment: str, chosen_store: Path | None, quiet: bool) -> ExitCode:
    """Note that somebody approves CAPSULE. The note isn't signed: it doesn't prove who wrote it.

    It is kept beside the capsule, which keeps its digest, and goes with it when it is pushed with reports.

    \b
    relance approve dilepton --by "A. Physicist" --comment "limits agree with the paper's"
    """
    from relance.capsule import reading
    from relance.cli import capsules
    from relance.verify import artifacts
    from relance.verify.model import APPROVAL_FORMAT, VERSION, Approval

    for name, text, most in (("--by", by, 200), ("--comment", comment, _LONGEST_COMMENT)):
        if (
            len(text) > most
            or not text.replace("\n", "").isprintable()
            or (name == "--by" and not text.strip())
        ):
            raise InputError(
                name, expected=f"printable text of at most {most} characters", found=ascii(text[:40]),
                next_step="write it as plain text",
            )  # fmt: skip
    store, described = capsules.in_store(capsule, os.environ, chosen_store)
    reading.read(store.layout, described)
    word = Approval(APPROVAL_FORMAT, VERSION, described.digest, by.strip(), round(time.time(), 3), comment)
    with store.writing():
        kept = artifacts.attach(store.layout, described, word)
    if not quiet:
        click.echo(f"{described.digest} is approved by {word.by}; not signed; kept as {kept.digest}")
    return ExitCode.OK
