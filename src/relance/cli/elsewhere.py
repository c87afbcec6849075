"""The options by which a rerun takes place on other machines."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any

import click

from relance.cli import registries
from relance.errors import InputError


@dataclass(frozen=True)
class Elsewhere:
    """How a REANA server is reached and asked for a rerun."""

    ca_file: Path | None
    registry: str | None
    """Where images are pushed to that no registry has."""
    interval: float
    """Seconds between two looks at a run."""
    look: bool
    """Whether registries are asked for images."""


def options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options to a command; it gets them as `elsewhere`, None if the rerun takes place here."""

    @wraps(command)
    def called(
        *,
        engine: str | None,
        image_registry: str | None,
        skip_images: bool,
        interval: float,
        ca_file: Path | None,
        **others: Any,
    ) -> Any:
        if not engine and (image_registry is not None or skip_images):
            raise InputError(
                "--image-registry" if image_registry is not None else "--skip-images",
                expected="--on with it",
                found="none",
                next_step="add '--on reana', or leave it out: a rerun here takes the capsule's images",
            )
        way = Elsewhere(ca_file, image_registry, interval, look=not skip_images) if engine else None
        return command(elsewhere=way, **others)

    for option in reversed(
        (
            click.option(
                "--on",
                "engine",
                type=click.Choice(["reana"]),
                help="Run it again on this server, not here: see 'relance reana'.",
            ),
            click.option(
                "--image-registry", metavar="HOST/REPOSITORY", help="With --on: push images that are missing."
            ),
            click.option("--skip-images", is_flag=True, help="With --on: don't ask registries for images."),
            click.option(
                "--interval",
                metavar="SECONDS",
                type=click.FloatRange(0.1, 3600),
                default=5.0,
                show_default=True,
                help="With --on: how often the server is asked.",
            ),
            registries.CA_FILE,
        )
    ):
        called = option(called)
    return called
