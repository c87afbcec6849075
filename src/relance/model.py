"""The words of the field as frozen dataclasses, shared by every layer."""

from __future__ import annotations

from typing import NewType

Digest = NewType("Digest", str)
"""A sha256 as OCI writes it: `sha256:` and 64 hexadecimal digits in lower case; see `relance.digest`."""
