"""How far long reading and writing is: a line that is written over, on a terminal only."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

_BYTES_SHOWN = 1 << 28  # more than this takes long enough to say how far it is


@contextmanager
def counting(doing: str, *, quiet: bool) -> Iterator[Callable[[int, int], None]]:
    """Give what is told the bytes done and all there are to do, and shows the percentage."""
    shown = -1

    def show(done: int, total: int) -> None:
        nonlocal shown
        percent = 100 * done // max(total, 1)
        if percent != shown and total > _BYTES_SHOWN and not quiet and sys.stderr.isatty():
            shown = percent
            click.echo(f"\r{doing}: {percent}% of {total / 1e9:.1f} GB", err=True, nl=False)

    yield show
    if shown >= 0:
        click.echo(err=True)
