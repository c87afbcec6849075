"""Generating events with Pythia 8, or showering those of a Les Houches event file."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import awkward as ak
import numpy as np
import pythia8mc
from numpy.typing import NDArray

from dilepton import hardprocess, slimming, variations
from dilepton.errors import AnalysisError
from dilepton.leshouches import LesHouchesFile
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
        filter_mass_max: GeV, what their mass must be below; only with a filter.
        lhe: a Les Houches event file to be showered instead of a process of Pythia's.
    """

    process: str
    request: hardprocess.Request
    events: int
    seed: int
    filter_mass: float = 0.0
    filter_mass_max: float = math.inf
    multiple_interactions: bool = True
    vary: bool = True
    lhe: LesHouchesFile | None = None


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
        _check(plan)
        self._plan = plan
        self._pythia = pythia8mc.Pythia("", False)
        for setting in _settings(plan):
            if not self._pythia.readString(setting):
                raise GenerationError(
                    f"process '{plan.process}': expected settings that Pythia knows, found '{setting}'; "
                    "this version of Pythia is not the one of the locked environment"
                )
        if plan.lhe is not None:
            self._pythia.settings.word("Beams:LHEF", str(plan.lhe.path))
        self._filter = self._mass_filter()
        if self._filter is not None:
            self._pythia.setUserHooksPtr(self._filter)
        if not self._pythia.init():
            raise GenerationError(
                f"process '{plan.process}': expected Pythia to start, found that it refuses "
                f"{plan.lhe.path if plan.lhe else plan.request}; check masses, energies and the file"
            )
        self._reweighting = None
        if plan.vary and plan.lhe is None:
            power = hardprocess.PROCESSES[plan.process].strong_coupling_power
            self._reweighting = HardReweighting(self._pythia, power)
        self.weight_names = self._names()

    def batches(self) -> Iterator[Batch]:
        """Generate until the plan's number of events is there.

        Of a Les Houches file, the events that Pythia cannot shower are missing at the end.

        Raises:
            GenerationError: no more events come.
            FilterError: next to none passes the filter.
        """
        missing = self._plan.events
        # Pythia orders the weights of a Les Houches event by names of its own; it tells the last one's by id.
        size = 1 if self._plan.lhe else _BATCH
        fruitless = 0
        while missing:
            generated = self._pythia.nextBatch(min(size, missing))
            fruitless = 0 if len(generated) else fruitless + 1
            if fruitless and self._plan.lhe is not None and self._pythia.infoPython().atEndOfFile():
                return
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
        return MassFilter(plan.filter_mass, leptons, plan.filter_mass_max)

    def _given_ratios(self, lhe: LesHouchesFile) -> NDArray[np.float64]:
        """(1, weights) of the last event, relative to its own weight."""
        info = self._pythia.infoPython()
        given = [info.getWeightsDetailedValue(name) for name in lhe.weight_ids]
        return np.array([given]) / info.eventWeightLHEF

    def _names(self) -> tuple[str, ...]:
        shower = variations.shower_names() if self._plan.vary else ()
        hard = self._reweighting.names if self._reweighting else ()
        given = self._plan.lhe.weight_names if self._plan.lhe else ()
        return (variations.NOMINAL, *hard, *given, *shower)

    def _weights(self, info: ak.Array) -> NDArray[np.float64]:
        given = ak.to_numpy(info.weights)
        nominal = given[:, :1]
        columns = [nominal]
        if self._plan.lhe is not None:
            columns.append(nominal * self._given_ratios(self._plan.lhe))
        if self._reweighting is not None:
            columns.append(nominal * self._reweighting.ratios(variations.hard_scatters(info)).T)
        if self._plan.vary:
            columns.append(given[:, -len(variations.shower_names()) :])
        return np.hstack(columns)


def _check(plan: Plan) -> None:
    if not 1 <= plan.seed <= MAXIMUM_SEED:
        raise GenerationError(f"--seed: expected 1 to {MAXIMUM_SEED}, found {plan.seed}; choose another")
    if plan.events < 1:
        raise GenerationError(f"--events: expected at least 1, found {plan.events}; ask for more")
    if plan.filter_mass < 0:
        raise GenerationError(
            f"--filter-mass: expected 0 or more GeV, found {plan.filter_mass:g}; raise it or leave it out"
        )
    if plan.filter_mass_max <= plan.filter_mass or (
        plan.filter_mass == 0 and plan.filter_mass_max < math.inf
    ):
        raise GenerationError(
            f"--filter-mass-max: expected more GeV than --filter-mass, found {plan.filter_mass_max:g} with "
            f"{plan.filter_mass:g}; put both, the lower first"
        )
    if plan.lhe is not None and plan.filter_mass > 0:
        raise GenerationError(
            f"--filter-mass: expected none with --lhe, since weighted events are not counted, found "
            f"{plan.filter_mass:g} GeV; filter when that file is made"
        )
    if plan.lhe is not None and plan.lhe.events < plan.events:
        raise GenerationError(
            f"'{plan.lhe.path}': expected at least {plan.events} events, found {plan.lhe.events}; "
            f"ask for --events {plan.lhe.events} or fewer"
        )


def _settings(plan: Plan) -> tuple[str, ...]:
    common = (
        "Print:quiet = on",
        "Random:setSeed = on",
        f"Random:seed = {plan.seed}",
        f"PartonLevel:MPI = {'on' if plan.multiple_interactions else 'off'}",
    )
    shower = variations.shower_settings() if plan.vary else ()
    if plan.lhe is not None:
        return (*common, *shower, "Beams:frameType = 4")
    beams = (f"Beams:eCM = {plan.request.centre_of_mass_energy!r}",)
    return (*common, *shower, *beams, *hardprocess.settings(plan.process, plan.request))
