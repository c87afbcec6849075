"""What must be known about a sample besides its events, carried from the generator to the fit."""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from dilepton.errors import AnalysisError


class MetadataError(AnalysisError):
    """Metadata of a sample that cannot be used to normalise it."""


@dataclass(frozen=True)
class SampleMetadata:
    """One sample: how it was made and how its events are normalised.

    Expected events of one event at L fb⁻¹:
    L · 1000 · cross_section_pb · k_factor · filter_efficiency · weight / sum_of_weights.

    Attributes:
        cross_section_pb: before the generator filter, branching fractions of the decays asked for included.
        filter_efficiency: fraction of the cross-section that the generator filter lets pass.
        sum_of_weights: nominal weights of all events that passed the filter, selected or not.
        variation_sums: the same sum for each variation of the generator.
        luminosity_ifb: fb⁻¹ that a sample of data corresponds to; None for a simulated one.
    """

    sample: str
    process: str
    generator: str
    seed: int
    cross_section_pb: float
    cross_section_uncertainty_pb: float
    k_factor: float
    filter_efficiency: float
    sum_of_weights: float
    sum_of_weights_squared: float
    variation_sums: Mapping[str, float]
    events: int
    luminosity_ifb: float | None = None

    def to_json(self) -> str:
        """Sorted keys, so that equal metadata are equal bytes."""
        document = asdict(self)
        document["variation_sums"] = dict(self.variation_sums)
        return json.dumps(document, sort_keys=True, allow_nan=False)


def from_json(text: str, source: str) -> SampleMetadata:
    """Read what `SampleMetadata.to_json` wrote.

    Raises:
        MetadataError: not JSON, or not exactly the fields of SampleMetadata.
    """
    try:
        document: Any = json.loads(text)
    except json.JSONDecodeError as error:
        raise MetadataError(
            f"{source}: expected metadata in JSON, found {text[:60]!r}; reduce the sample again"
        ) from error
    expected = {field.name for field in fields(SampleMetadata)}
    if not isinstance(document, dict) or set(document) != expected:
        found = sorted(document) if isinstance(document, dict) else type(document).__name__
        raise MetadataError(
            f"{source}: expected metadata with the fields {sorted(expected)}, found {found}; "
            "reduce the sample again"
        )
    return SampleMetadata(**document)


def checked(metadata: SampleMetadata, source: str) -> SampleMetadata:
    """The metadata themselves, if a sample can be normalised with them.

    Raises:
        MetadataError: a cross-section, k-factor, efficiency or sum of weights that is not finite or has the
            wrong sign.
    """
    positive = {
        "cross_section_pb": "--cross-section-pb",
        "k_factor": "--k-factor",
        "filter_efficiency": "--filter-efficiency",
    }
    for name, option in positive.items():
        value = getattr(metadata, name)
        if not (math.isfinite(value) and value > 0):
            raise MetadataError(
                f"{source}: expected {name} > 0, found {value}; give reduce.py the right one by {option}"
            )
    if metadata.filter_efficiency > 1:
        raise MetadataError(
            f"{source}: expected filter_efficiency ≤ 1, found {metadata.filter_efficiency}; "
            "give reduce.py the right one by --filter-efficiency"
        )
    uncertainty = metadata.cross_section_uncertainty_pb
    if not (math.isfinite(uncertainty) and uncertainty >= 0):
        raise MetadataError(
            f"{source}: expected cross_section_uncertainty_pb ≥ 0, found {uncertainty}; "
            "give reduce.py the right one by --cross-section-uncertainty-pb"
        )
    luminosity = metadata.luminosity_ifb
    if luminosity is not None and not (math.isfinite(luminosity) and luminosity > 0):
        raise MetadataError(
            f"{source}: expected luminosity_ifb > 0, found {luminosity}; "
            "give reduce.py the right one by --luminosity-ifb"
        )
    if not (math.isfinite(metadata.sum_of_weights) and metadata.sum_of_weights != 0):
        raise MetadataError(
            f"{source}: expected a finite sum_of_weights other than 0, found {metadata.sum_of_weights}; "
            "give reduce.py the right one by --sum-of-weights"
        )
    return metadata
