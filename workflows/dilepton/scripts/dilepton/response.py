"""Measured leptons: smeared momenta, their variations, efficiencies; chance depends on the seed alone."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dilepton import pdgcodes
from dilepton.detector import Detector, Response
from dilepton.truth import Leptons

Floats = NDArray[np.float64]

LEPTONS_PER_EVENT = 6
JETS_PER_EVENT = 16
_SMALLEST_CURVATURE = 0.2

NOMINAL = ""
FLAVOURS: Mapping[str, int] = {"electron": pdgcodes.ELECTRON, "muon": pdgcodes.MUON}
VARIATIONS = tuple(
    f"_{flavour}_{kind}_{direction}"
    for kind in ("scale", "resolution")
    for flavour in FLAVOURS
    for direction in ("up", "down")
)


@dataclass(frozen=True)
class Chances:
    """Random numbers of a chunk.

    Attributes:
        lepton: (events, LEPTONS_PER_EVENT) normal.
        jet: (events, JETS_PER_EVENT) uniform in [0, 1).
        missing_momentum: (events, 2) normal.
    """

    lepton: Floats
    jet: Floats
    missing_momentum: Floats


class Dice:
    """Streams of random numbers, as many for every event, so that chunks of any size give the same events."""

    def __init__(self, seed: int) -> None:
        """Start the streams."""
        self._lepton, self._jet, self._missing = (
            np.random.Generator(np.random.Philox(child)) for child in np.random.SeedSequence(seed).spawn(3)
        )

    def roll(self, events: int) -> Chances:
        """The numbers of the next events."""
        return Chances(
            lepton=self._lepton.standard_normal((events, LEPTONS_PER_EVENT)),
            jet=self._jet.random((events, JETS_PER_EVENT)),
            missing_momentum=self._missing.standard_normal((events, 2)),
        )


@dataclass(frozen=True)
class Measured:
    """What is measured of each lepton.

    Attributes:
        factor: by variation ("" is nominal), (leptons,) measured pT over true pT.
        accepted: (leptons,) inside the acceptance, nominally.
        efficiency, uncertainty: (leptons,) of the identification.
    """

    factor: Mapping[str, Floats]
    accepted: NDArray[np.bool_]
    efficiency: Floats
    uncertainty: Floats


def measure(leptons: Leptons, chances: Chances, detector: Detector) -> Measured:
    """Smear leptons. Those beyond the first LEPTONS_PER_EVENT of an event are not seen."""
    seen = leptons.rank < LEPTONS_PER_EVENT
    chance = np.where(
        seen, chances.lepton[leptons.event, np.minimum(leptons.rank, LEPTONS_PER_EVENT - 1)], 0.0
    )
    pt, energy, eta = leptons.pt, leptons.momentum[3], leptons.eta
    factor = {name: np.ones(len(pt)) for name in (NOMINAL, *VARIATIONS)}
    accepted = np.zeros(len(pt), dtype=np.bool_)
    efficiency, uncertainty = np.ones(len(pt)), np.zeros(len(pt))
    for flavour, code in FLAVOURS.items():
        response: Response = getattr(detector, flavour)
        mine = np.abs(leptons.pid) == code
        deviation = response.relative_resolution(pt[mine], energy[mine]) * chance[mine]
        smeared = _smear_curvature if response.curvature > 0 else _smear_energy
        for values in factor.values():
            values[mine] = smeared(deviation)
        for direction, sign in (("up", 1), ("down", -1)):
            factor[f"_{flavour}_scale_{direction}"][mine] *= 1 + sign * response.scale_uncertainty
            wider = deviation * (1 + sign * response.resolution_uncertainty)
            factor[f"_{flavour}_resolution_{direction}"][mine] = smeared(wider)
        measured = pt[mine] * factor[NOMINAL][mine]
        accepted[mine] = seen[mine] & response.acceptance.holds(measured, eta[mine])
        efficiency[mine], uncertainty[mine] = response.identification.at(measured, eta[mine])
    return Measured(factor, accepted, efficiency, uncertainty)


def _smear_energy(deviation: Floats) -> Floats:
    return np.maximum(1 + deviation, _SMALLEST_CURVATURE)


def _smear_curvature(deviation: Floats) -> Floats:
    """A tracker measures 1/pT: its errors are Gaussian there. A track cannot get arbitrarily straight."""
    return 1 / np.maximum(1 + deviation, _SMALLEST_CURVATURE)
