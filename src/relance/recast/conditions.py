"""What results were found with: the luminosity that a configuration says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from relance import units
from relance.errors import InputError
from relance.recast.model import Condition
from relance.specification import values
from relance.specification.model import Specification

_LUMINOSITY = "fb^-1"


def of(specification: Specification, configuration: Mapping[str, object]) -> dict[str, Condition]:
    """Return the values of all parameters that are luminosities, as the configuration has them."""
    found = {}
    for name, parameter in specification.interface.parameters.items():
        unit = parameter.unit or "1"
        if not units.same_dimension(unit, _LUMINOSITY):
            continue
        value: Any = configuration
        for part in parameter.key.split("."):
            value = value.get(part) if isinstance(value, Mapping) else None
        try:
            found[name] = Condition(values.quantity(value, unit, name), unit)
        except InputError:
            continue  # the configuration doesn't say, or in a way of its own
    return found
