"""relance: preserve a particle-physics analysis and run it again with another signal."""

from importlib import import_module

__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    """Load `relance.open` when it is first used, so that the commands needn't wait for it."""
    if name == "open":
        return getattr(import_module("relance.api"), name)
    raise AttributeError(f"module 'relance' has no attribute {name!r}")
