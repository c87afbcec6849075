"""What a step needs from outside, as REANA's Snakemake is told of it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from relance.languages.literals import quoted

NAMED = {"GRIDProxy": "voms_proxy: True", "KRB5Auth": "kerberos: True"}
"""yadage's words for what a step needs → REANA's."""

_WAY = r"compute_backend|unpacked_img|(kubernetes|htcondor|slurm|c4p)_[a-z_]+"
_KNOWN = re.compile(rf"kerberos|voms_proxy|rucio|{_WAY}")
_ONLY_WAYS = re.compile(rf"({_WAY}): .*", re.DOTALL)


def lines(resources: Iterable[str]) -> list[str]:
    """Return the lines of a rule for its step's resources; CVMFS is none of a rule, but of the workflow.

    Snakemake on this machine keeps the values and does nothing with them.
    """
    found = dict(pair for name in resources for pair in _pairs(NAMED.get(name, name)))
    return ["    resources:", *(f"        {key}={value}," for key, value in found.items())] if found else []


def is_way(resource: str) -> bool:
    """Return whether a resource only says how REANA runs a step, and brings nothing from outside."""
    return all(_ONLY_WAYS.fullmatch(one) for one in resource.split(", "))


def _pairs(resource: str) -> Iterator[tuple[str, str]]:
    for one in resource.split(", "):
        key, colon, value = one.partition(": ")
        if colon and _KNOWN.fullmatch(key):
            plain = value in {"True", "False"} or re.fullmatch(r"[1-9][0-9]{0,9}", value)
            yield key, value if plain else quoted(value)
