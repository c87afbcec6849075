"""A filter on the leptons of the hard process, before anything expensive is generated."""

import math

import pythia8mc

from dilepton.errors import AnalysisError

_CHARGED_LEPTONS = (11, 13, 15)
_FRUITLESS = 200_000


class FilterError(AnalysisError):
    """A filter that next to nothing passes."""


class MassFilter(pythia8mc.UserHooks):  # type: ignore[misc]
    """Keep hard processes with enough charged leptons, the two hardest of a mass in a window.

    Vetoed processes cost no shower and no hadronisation. Pythia's cross-section counts them out, so
    that its `sigmaGen` divided by `efficiency` is the cross-section before the filter.

    Attributes:
        tried, passed: hard processes seen and let through so far.
    """

    def __init__(self, minimum_mass: float, minimum_leptons: int, maximum_mass: float = math.inf) -> None:
        """Take the masses in GeV that the two hardest charged leptons may have, and their least number."""
        super().__init__()
        self._minimum_mass = minimum_mass
        self._maximum_mass = maximum_mass
        self._minimum_leptons = max(minimum_leptons, 2 if minimum_mass > 0 else 0)
        self.tried = 0
        self.passed = 0

    @property
    def efficiency(self) -> float:
        """Fraction of the hard processes let through; 1 before the first."""
        return self.passed / self.tried if self.tried else 1.0

    @property
    def efficiency_uncertainty(self) -> float:
        """Binomial standard error of the efficiency."""
        efficiency = self.efficiency
        return math.sqrt(efficiency * (1 - efficiency) / self.tried) if self.tried else 0.0

    def canVetoProcessLevel(self) -> bool:  # noqa: N802 (Pythia's name)
        """Tell Pythia that this hook has a say on the hard process."""
        return True

    def doVetoProcessLevel(self, process: pythia8mc.Event) -> bool:  # noqa: N802 (Pythia's name)
        """Say whether this hard process is dropped.

        Raises:
            FilterError: so few pass that generation would not end.
        """
        self.tried += 1
        if self.tried > _FRUITLESS * (self.passed + 1):
            raise FilterError(
                f"--filter-mass {self._minimum_mass:g} GeV: expected one event in {_FRUITLESS} to pass, "
                f"found {self.passed} in {self.tried - 1}; lower it"
            )
        leptons = sorted(
            (
                (particle.pT(), particle.p())
                for particle in (process[index] for index in range(5, process.size()))
                if particle.status() > 0 and particle.idAbs() in _CHARGED_LEPTONS
            ),
            key=lambda lepton: -lepton[0],
        )
        if len(leptons) < self._minimum_leptons:
            return True
        if len(leptons) > 1:
            mass = (leptons[0][1] + leptons[1][1]).mCalc()
            if not self._minimum_mass <= mass < self._maximum_mass:
                return True
        self.passed += 1
        return False
