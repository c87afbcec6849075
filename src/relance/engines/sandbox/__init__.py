"""Containers in which a program of relance's own environment runs that must not be trusted.

Such a program is Snakemake with a Snakefile from somebody else, for reading a Snakefile runs its Python. It
sees an empty root with this machine's programs and libraries and relance's Python environment, read-only,
and what the call names; no network, no other process, no variable of the environment but those of the call.
"""
