"""Weights for other scales and parton densities, from what Pythia itself can evaluate.

A lowest-order hard process at x₁, x₂ is proportional to f₁(x₁, μF) f₂(x₂, μF) αs(μR)ⁿ. Its weight for other
choices is the ratio of that product, with Pythia's own densities and its own αs, which does not follow the
densities. The showers keep the nominal ones. Shower scales are varied by Pythia's own uncertainty bands.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import awkward as ak
import numpy as np
import pythia8mc
from numpy.typing import NDArray

NOMINAL = "nominal"

# Pythia's numbers of its internal proton densities (Pythia manual, PDF Selection).
# NNPDF3.1 enters by its NNLO densities. Its lowest-order ones (17, 18) absorb higher orders: at 1 to 2 TeV
# they make Drell–Yan and Z′ 1.3 times the nominal cross-section and 1.1 to 1.2 times that of the same group's
# NNLO, which the k-factors would put in a second time. Weights of a 2 TeV Z′ spread by 0.35 all the same, by
# rare pairs of sea quarks that hardly move its acceptance.
PDF_SETS: Mapping[str, str] = {
    "pdf_CTEQ6L1": "8",
    "pdf_MSTW2008lo": "5",
    "pdf_NNPDF23_lo_as_0119": "14",
    "pdf_NNPDF31_nnlo_as_0118_luxqed": "20",
}
SCALE_FACTORS: Mapping[str, float] = {"2": 2.0, "0.5": 0.5}
SHOWERS = ("isr", "fsr")

# Final-state branchings are varied down to 5 GeV (initial state: 4 GeV, the default): those below do not
# move the leptons but make weights of 30. Less oversampling than by default is faster and costs little.
_BANDS = (
    "UncertaintyBands:FSRpTmin2Fac = 100",
    "UncertaintyBands:overSampleFSR = 1.5",
    "UncertaintyBands:overSampleISR = 1.5",
)
_PROTON = 2212


@dataclass(frozen=True)
class HardScatters:
    """What the hard processes of a batch were evaluated at, each an array of (events,).

    Attributes:
        id1, id2: PDG codes of the incoming partons (21 gluon).
        x1, x2: their momentum fractions.
        factorisation_scale_squared, renormalisation_scale_squared: GeV².
    """

    id1: NDArray[np.int32]
    id2: NDArray[np.int32]
    x1: NDArray[np.float64]
    x2: NDArray[np.float64]
    factorisation_scale_squared: NDArray[np.float64]
    renormalisation_scale_squared: NDArray[np.float64]


def hard_scatters(info: ak.Array) -> HardScatters:
    """Take the hard processes out of the `info` field of `Pythia.nextBatch`."""
    return HardScatters(
        id1=ak.to_numpy(info.id1),
        id2=ak.to_numpy(info.id2),
        x1=ak.to_numpy(info.x1),
        x2=ak.to_numpy(info.x2),
        factorisation_scale_squared=ak.to_numpy(info.Q2Fac),
        renormalisation_scale_squared=ak.to_numpy(info.Q2Ren),
    )


def shower_settings() -> tuple[str, ...]:
    """Pythia's settings for the scales μR of initial- and final-state showers, doubled and halved."""
    groups = [
        f"{shower}_muR_{name} {shower}:muRfac={factor!r}"
        for shower in SHOWERS
        for name, factor in SCALE_FACTORS.items()
    ]
    return (
        "UncertaintyBands:doVariations = on",
        f"UncertaintyBands:List = {{{', '.join(groups)}}}",
        *_BANDS,
    )


def shower_names() -> tuple[str, ...]:
    """Names of the shower variations in the order of `shower_settings`."""
    return tuple(f"{shower}_muR_{name}" for shower in SHOWERS for name in SCALE_FACTORS)


class HardReweighting:
    """Ratios of the hard process's lowest-order weight for other scales and densities."""

    def __init__(self, generator: pythia8mc.Pythia, strong_coupling_power: int) -> None:
        """Take the densities and αs of an initialised generator."""
        self._power = strong_coupling_power
        self._nominal = generator.getPDFPtr(_PROTON)
        self._alternatives = {name: _density(generator, number) for name, number in PDF_SETS.items()}
        self._strong_coupling = pythia8mc.AlphaStrong()
        self._strong_coupling.init(
            generator.parm("SigmaProcess:alphaSvalue"),
            generator.mode("SigmaProcess:alphaSorder"),
            generator.mode("StandardModel:alphaSnfmax"),
            False,
        )

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the variations; the renormalisation scale only where the process has an αs."""
        renormalisation = [f"muR_{name}" for name in SCALE_FACTORS] if self._power else []
        factorisation = [f"muF_{name}" for name in SCALE_FACTORS]
        return (*renormalisation, *factorisation, *self._alternatives)

    def ratios(self, scatters: HardScatters) -> NDArray[np.float64]:
        """Weights relative to the nominal one, (variations, events)."""
        scale2 = scatters.factorisation_scale_squared
        nominal = _luminosity(self._nominal, scatters, scale2)
        rows = []
        if self._power:
            at_nominal = self.strong_coupling(scatters.renormalisation_scale_squared)
            for factor in SCALE_FACTORS.values():
                varied = self.strong_coupling(scatters.renormalisation_scale_squared * factor**2)
                rows.append((varied / at_nominal) ** self._power)
        rows.extend(
            _luminosity(self._nominal, scatters, scale2 * factor**2) / nominal
            for factor in SCALE_FACTORS.values()
        )
        rows.extend(
            _luminosity(density, scatters, scale2) / nominal for density in self._alternatives.values()
        )
        return np.stack(rows)

    def strong_coupling(self, scale_squared: NDArray[np.float64]) -> NDArray[np.float64]:
        """αs of the hard process at μR² in GeV²."""
        return np.array([self._strong_coupling.alphaS(value) for value in scale_squared.tolist()])


def _density(generator: pythia8mc.Pythia, number: str) -> pythia8mc.PDF:
    before = generator.word("PDF:pSet")
    generator.readString(f"PDF:pSet = {number}")
    density = generator.getPDFPtr(_PROTON)
    generator.readString(f"PDF:pSet = {before}")
    return density


def _luminosity(
    density: pythia8mc.PDF, scatters: HardScatters, scale2: Sequence[float] | NDArray[np.float64]
) -> NDArray[np.float64]:
    scales = np.asarray(scale2).tolist()
    sides = ((scatters.id1, scatters.x1), (scatters.id2, scatters.x2))
    first, second = (
        [density.xf(code, x, q2) for code, x, q2 in zip(codes.tolist(), xs.tolist(), scales, strict=True)]
        for codes, xs in sides
    )
    return np.array(first) * np.array(second)
