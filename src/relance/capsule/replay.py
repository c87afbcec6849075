"""The plain script that runs a capsule's jobs again where there is nothing but a container runtime."""

from __future__ import annotations

from relance.capsule.model import Capsule


def replay_script(capsule: Capsule) -> str:
    """Return the script, for a POSIX shell."""
    identity = capsule.specification.identity
    return f"#!/bin/sh\n# {identity.name} {identity.version}\n"
