"""The detector response that a configuration declares."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dilepton import configuration
from dilepton.configuration import ConfigurationError

SCHEMA = Path(__file__).parents[2] / "schemas" / "detector.schema.json"

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Acceptance:
    """Where a lepton is seen; pT in GeV."""

    minimum_pt: float
    maximum_abs_eta: float
    excluded_abs_eta: tuple[float, float] | None

    def holds(self, pt: Floats, eta: Floats) -> NDArray[np.bool_]:
        """Which leptons are seen."""
        size = np.abs(eta)
        seen = (pt >= self.minimum_pt) & (size < self.maximum_abs_eta)
        if self.excluded_abs_eta is not None:
            low, high = self.excluded_abs_eta
            seen &= (size < low) | (size >= high)
        return seen


@dataclass(frozen=True)
class Identification:
    """Efficiency in bins of pT and |η|, the last bin of pT open.

    Shapes: (pT bins,), (|η| bins + 1,), and twice (pT bins, |η| bins).
    """

    pt_edges: Floats
    abs_eta_edges: Floats
    efficiency: Floats
    uncertainty: Floats

    def at(self, pt: Floats, eta: Floats) -> tuple[Floats, Floats]:
        """Efficiency and uncertainty of each lepton; those below the first edge take the first bin."""
        row = np.clip(np.searchsorted(self.pt_edges, pt, side="right") - 1, 0, len(self.pt_edges) - 1)
        last = len(self.abs_eta_edges) - 2
        column = np.clip(np.searchsorted(self.abs_eta_edges, np.abs(eta), side="right") - 1, 0, last)
        return self.efficiency[row, column], self.uncertainty[row, column]


@dataclass(frozen=True)
class Response:
    """How one flavour of lepton is measured.

    σ/pT = √(stochastic²/E + constant² + (curvature · pT)²); of a muon the curvature is smeared, of an
    electron the energy.
    """

    scale_uncertainty: float
    stochastic: float
    constant: float
    curvature: float
    resolution_uncertainty: float
    acceptance: Acceptance
    identification: Identification

    def relative_resolution(self, pt: Floats, energy: Floats) -> Floats:
        """σ/pT at pT and E in GeV."""
        return np.sqrt(self.stochastic**2 / energy + self.constant**2 + (self.curvature * pt) ** 2)


@dataclass(frozen=True)
class Isolation:
    """Sum of charged pT around a lepton, relative to the lepton's; GeV."""

    radius: float
    minimum_pt: float
    maximum: float


@dataclass(frozen=True)
class Jets:
    """Jets and their flavour tags; GeV."""

    radius: float
    minimum_pt: float
    maximum_abs_eta: float
    tag_maximum_abs_eta: float
    matching_radius: float
    minimum_hadron_pt: float
    efficiency_b: float
    efficiency_c: float
    efficiency_light: float


@dataclass(frozen=True)
class Detector:
    """All of it.

    Attributes:
        jet_around_lepton, lepton_in_jet: ΔR of the overlap removal, jets first.
        missing_momentum_stochastic: √GeV.
    """

    dressing_radius: float
    electron: Response
    muon: Response
    isolation: Isolation
    jets: Jets
    jet_around_lepton: float
    lepton_in_jet: float
    missing_momentum_stochastic: float


def load(path: Path) -> Detector:
    """Read a detector's configuration.

    Raises:
        ConfigurationError: it does not follow its schema, or its tables do not fit their edges.
        OSError: it cannot be read.
    """
    document = configuration.load(path, SCHEMA)
    tag = document["jets"]["b_tag"]
    return Detector(
        dressing_radius=document["dressing"]["radius"],
        electron=_response(path, "electron", document["electron"]),
        muon=_response(path, "muon", document["muon"]),
        isolation=Isolation(**document["isolation"]),
        jets=Jets(
            radius=document["jets"]["radius"],
            minimum_pt=document["jets"]["minimum_pt"],
            maximum_abs_eta=document["jets"]["maximum_abs_eta"],
            tag_maximum_abs_eta=tag["maximum_abs_eta"],
            matching_radius=tag["matching_radius"],
            minimum_hadron_pt=tag["minimum_hadron_pt"],
            efficiency_b=tag["efficiency"]["b"],
            efficiency_c=tag["efficiency"]["c"],
            efficiency_light=tag["efficiency"]["light"],
        ),
        jet_around_lepton=document["overlap"]["jet_around_lepton"],
        lepton_in_jet=document["overlap"]["lepton_in_jet"],
        missing_momentum_stochastic=document["missing_momentum"]["stochastic"],
    )


def _response(path: Path, flavour: str, section: Mapping[str, Any]) -> Response:
    resolution = section["resolution"]
    excluded = section["acceptance"].get("excluded_abs_eta")
    return Response(
        scale_uncertainty=section["scale_uncertainty"],
        stochastic=resolution.get("stochastic", 0.0),
        constant=resolution["constant"],
        curvature=resolution.get("curvature", 0.0),
        resolution_uncertainty=resolution["relative_uncertainty"],
        acceptance=Acceptance(
            minimum_pt=section["acceptance"]["minimum_pt"],
            maximum_abs_eta=section["acceptance"]["maximum_abs_eta"],
            excluded_abs_eta=(excluded[0], excluded[1]) if excluded else None,
        ),
        identification=_identification(path, flavour, section["identification"]),
    )


def _identification(path: Path, flavour: str, section: Mapping[str, Any]) -> Identification:
    name = f"{path}: '{flavour}.identification"
    for edges in ("pt_edges", "abs_eta_edges"):
        if sorted(set(section[edges])) != list(section[edges]):
            raise ConfigurationError(
                f"{name}.{edges}': expected rising edges, found {section[edges]}; put them in order"
            )
    shape = (len(section["pt_edges"]), len(section["abs_eta_edges"]) - 1)
    for table in ("efficiency", "uncertainty"):
        rows: Sequence[Sequence[float]] = section[table]
        if len(rows) != shape[0] or any(len(row) != shape[1] for row in rows):
            raise ConfigurationError(
                f"{name}.{table}': expected {shape[0]} rows (bins of pT) of {shape[1]} numbers (of |η|), "
                f"found rows of {[len(row) for row in rows]}; give one number for each bin"
            )
    return Identification(
        pt_edges=np.array(section["pt_edges"], dtype=float),
        abs_eta_edges=np.array(section["abs_eta_edges"], dtype=float),
        efficiency=np.array(section["efficiency"], dtype=float),
        uncertainty=np.array(section["uncertainty"], dtype=float),
    )
