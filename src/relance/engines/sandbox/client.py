"""The environment that the programs of container engines themselves are started with."""

from __future__ import annotations

from collections.abc import Mapping

# What they may need, and no more: a sandboxed program could read what they were started with.
_CLIENT_VARIABLES = frozenset(
    (
        *("PATH", "HOME", "TMPDIR", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "XDG_DATA_HOME"),
        *("DBUS_SESSION_BUS_ADDRESS", "CONTAINERS_CONF", "CONTAINERS_STORAGE_CONF"),
        *("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH"),
        *("APPTAINER_CACHEDIR", "APPTAINER_TMPDIR"),
    )
)


def environment(outer: Mapping[str, str]) -> dict[str, str]:
    """Return the few of the caller's variables that programs of container engines are started with."""
    return {name: value for name, value in outer.items() if name in _CLIENT_VARIABLES}
