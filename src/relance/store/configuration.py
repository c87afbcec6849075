"""The configuration of an image, read strictly: its bytes are the image's identity and may be hostile."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from relance import digest
from relance.errors import InputError
from relance.model import Digest

LARGEST = 4 << 20
"""Bytes."""


@dataclass(frozen=True)
class Settings:
    """What an image says to those who run it; environment is in order, labels have no builder's names."""

    environment: Mapping[str, str] = field(default_factory=dict)
    command: tuple[str, ...] = ()
    working_folder: str = "/"
    labels: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, object]:
        """Return the `config` object of an OCI image configuration."""
        value: dict[str, object] = {
            "Env": [f"{name}={text}" for name, text in self.environment.items()],
            "WorkingDir": self.working_folder,
        }
        if self.command:
            value["Cmd"] = list(self.command)
        if self.labels:
            value["Labels"] = dict(self.labels)
        return value


@dataclass(frozen=True)
class Configuration:
    """What is used of an image's configuration."""

    diff_ids: tuple[Digest, ...]
    """Digests of the uncompressed layers, the lowest first."""
    architecture: str
    system: str
    settings: Settings


def parse(data: bytes, subject: str) -> Configuration:
    """Read the configuration of an image; `subject` begins the message.

    Raises:
        InputError: it isn't one as the OCI image specification has it.
    """
    if len(data) > LARGEST:
        raise _refusal(subject, f"a configuration of at most {LARGEST} bytes", f"{len(data)}")
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise _refusal(subject, "a configuration in JSON", "something else") from error
    root = value.get("rootfs") if isinstance(value, dict) else None
    diff_ids = root.get("diff_ids") if isinstance(root, dict) else None
    if not isinstance(diff_ids, list):
        raise _refusal(subject, "a configuration with rootfs.diff_ids", "none")
    return Configuration(
        tuple(digest.parse(str(diff_id)) for diff_id in diff_ids),
        str(value.get("architecture", "")),
        str(value.get("os", "")),
        _settings(value.get("config") or {}, subject),
    )


def _settings(said: Any, subject: str) -> Settings:
    if not isinstance(said, dict):
        raise _refusal(subject, "'config' as a mapping", type(said).__name__)
    listed = _texts(said.get("Env"), subject, "Env")
    environment = dict(item.partition("=")[::2] for item in listed)
    folder = said.get("WorkingDir") or "/"
    labels = said.get("Labels") or {}
    if not isinstance(folder, str) or not isinstance(labels, dict):
        raise _refusal(subject, "'WorkingDir' as text and 'Labels' as a mapping", "something else")
    return Settings(
        environment,
        _texts(said.get("Cmd"), subject, "Cmd"),
        folder,
        {str(name): str(text) for name, text in labels.items()},
    )


def _texts(value: Any, subject: str, name: str) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(item, str) and "\0" not in item for item in value):
        raise _refusal(subject, f"{name!r} as a list of texts", repr(value)[:100])
    return tuple(value)


def _refusal(subject: str, expected: str, found: str) -> InputError:
    return InputError(
        f"{subject} can't be used as an image",
        expected=expected,
        found=found,
        next_step="get it from its publisher again",
    )
