"""Generating events with Pythia 8, or showering those of a Les Houches event file."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import awkward as ak
import numpy as np
import pythia8mc
from numpy.typing import NDArray

from dilepton import hardprocess, slimming, variations
from dilepton.errors import AnalysisError
from dilepton.massfilter import MassFilter
from dilepton.variations import HardReweighting

MAXIMUM_SEED = 900_000_000
_BATCH = 200
_PB_PER_MB = 1e9
_FRUITLESS_BATCHES = 10


class GenerationError(AnalysisError):
    """Events that Pythia cannot be made to generate."""


@dataclass(frozen=True)
class Plan:
    """What to generate.

    Attributes:
        process: of hardprocess.PROCESSES; with `lhe` only the name of what that file holds.
        events: how many to write, all passing the filter.
        seed: 1 to MAXIMUM_SEED.
        filter_mass: GeV, least mass of the two hardest charged leptons of the hard process; 0 for no filter.
        lhe: a Les Houches event file to be showered instead of a process of Pythia's.
    """

    process: str
    request: hardprocess.Request
    events: int
    seed: int
    filter_mass: float = 0.0
    multiple_interactions: bool = True
    vary: bool = True
    lhe: Path | None = None


@dataclass(frozen=True)
class CrossSection:
    """A cross-section before the generator filter and its statistical uncertainty, in pb."""

    value: float
    uncertainty: float


@dataclass(frozen=True)
class Batch:
    """Some events: slimmed records, weights (events, weights), and the cross-section known after them."""

    records: Iterator[slimming.SlimEvent]
    weights: NDArray[np.float64]
    cross_section: CrossSection


class Generator:
    """Pythia, set up for one plan.

    Attributes:
        weight_names: "nominal" first.
    """

    def __init__(self, plan: Plan) -> None:
        """Initialise Pythia.

        Raises:
            GenerationError: Pythia refuses the settings or cannot start.
            ProcessError: the request has no meaning.
        """
        self._plan = plan
        self._pythia = pythia8mc.Pythia("", False)
        for setting in _settings(plan):
            if not self._pythia.readString(setting):
                raise GenerationError(
                    f"process '{plan.process}': expected settings that Pythia knows, found '{setting}'; "
                    "this version of Pythia is not the one of the locked environment"
                )
        self._filter = self._mass_filter()
        if self._filter is not None:
            self._pythia.setUserHooksPtr(self._filter)
        if not self._pythia.init():
            raise GenerationError(
                f"process '{plan.process}': expected Pythia to start, found that it refuses "
                f"{plan.lhe or plan.request}; see its messages above and check the masses and energies"
            )
        self._reweighting = None
        if plan.vary and plan.lhe is None:
            power = hardprocess.PROCESSES[plan.process].strong_coupling_power
            self._reweighting = HardReweighting(self._pythia, power)
        self._given_names: tuple[str, ...] = ()
        self.weight_names = self._names()

    def batches(self) -> Iterator[Batch]:
        """Generate until the plan's number of events is there.

        Raises:
            GenerationError: the Les Houches file ends too soon, or no events come.
        """
        missing = self._plan.events
        fruitless = 0
        while missing:
            generated = self._pythia.nextBatch(min(_BATCH, missing))
            fruitless = 0 if len(generated) else fruitless + 1
            if fruitless == _FRUITLESS_BATCHES:
                raise GenerationError(
                    f"process '{self._plan.process}': expected {self._plan.events} events, found only "
                    f"{self._plan.events - missing} before Pythia stopped giving any; "
                    "ask for fewer by --events or loosen --filter-mass and --mass-range"
                )
            if len(generated):
                missing -= len(generated)
                yield Batch(slimming.slim(generated.prt), self._weights(generated.info), self.cross_section)

    @property
    def cross_section(self) -> CrossSection:
        """What Pythia knows so far."""
        info = self._pythia.infoPython()
        scale = _PB_PER_MB / self.filter_efficiency
        return CrossSection(info.sigmaGen() * scale, info.sigmaErr() * scale)

    @property
    def filter_efficiency(self) -> float:
        """Fraction of hard processes that passed the filter so far."""
        return self._filter.efficiency if self._filter else 1.0

    @property
    def filter_efficiency_uncertainty(self) -> float:
        """Its binomial standard error."""
        return self._filter.efficiency_uncertainty if self._filter else 0.0

    def _mass_filter(self) -> MassFilter | None:
        plan = self._plan
        leptons = 0 if plan.lhe else hardprocess.PROCESSES[plan.process].minimum_leptons
        if plan.filter_mass <= 0 and leptons == 0:
            return None
        return MassFilter(plan.filter_mass, leptons)

    def _names(self) -> tuple[str, ...]:
        shower = variations.shower_names() if self._plan.vary else ()
        hard = self._reweighting.names if self._reweighting else ()
        return (variations.NOMINAL, *hard, *self._given_names, *shower)

    def _weights(self, info: ak.Array) -> NDArray[np.float64]:
        given = ak.to_numpy(info.weights)
        nominal = given[:, :1]
        columns = [nominal]
        if self._reweighting is not None:
            columns.append(nominal * self._reweighting.ratios(variations.hard_scatters(info)).T)
        if self._plan.vary:
            columns.append(given[:, -len(variations.shower_names()) :])
        return np.hstack(columns)


def _settings(plan: Plan) -> tuple[str, ...]:
    common = (
        "Print:quiet = on",
        "Random:setSeed = on",
        f"Random:seed = {plan.seed}",
        f"PartonLevel:MPI = {'on' if plan.multiple_interactions else 'off'}",
    )
    shower = variations.shower_settings() if plan.vary else ()
    if plan.lhe is not None:
        return (*common, *shower, "Beams:frameType = 4", f"Beams:LHEF = {plan.lhe}")
    beams = (f"Beams:eCM = {plan.request.centre_of_mass_energy!r}",)
    return (*common, *shower, *beams, *hardprocess.settings(plan.process, plan.request))
