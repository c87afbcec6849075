"""relance: preserve a particle-physics analysis and run it again with another signal."""

__version__ = "0.1.0"
