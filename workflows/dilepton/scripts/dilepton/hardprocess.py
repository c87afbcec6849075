"""The hard processes that the analysis generates, as settings of Pythia 8."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from dilepton.errors import AnalysisError

Settings = tuple[str, ...]

LEPTONS: Mapping[str, int] = {"ee": 11, "mumu": 13, "tautau": 15}
NEUTRINOS = (12, 14, 16)
DRELL_YAN_MINIMUM_MASS = 60.0
# Below, a pure Z′ is all parton luminosity and interference, which is left out here: at 4 TeV a third of the
# cross-section down to 50 GeV, at 5 TeV more than half.
ZPRIME_MINIMUM_MASS_FRACTION = 0.5

# Vector and axial couplings of the Standard Model Z in Pythia's normalisation, a_f = ±1 and
# v_f = a_f − 4 e_f sin²θ_W with sin²θ_W = 0.23 (Pythia manual, New-Gauge-Boson Processes).
_SEQUENTIAL_COUPLINGS: Mapping[str, float] = {
    "vd": -0.693,
    "ad": -1.0,
    "vu": 0.387,
    "au": 1.0,
    "ve": -0.08,
    "ae": -1.0,
    "vnue": 1.0,
    "anue": 1.0,
}


class ProcessError(AnalysisError):
    """A process asked for in a way that has no meaning."""


@dataclass(frozen=True)
class Request:
    """What a user asks of a process.

    Attributes:
        mass: GeV, of the Z′.
        coupling: of the Z′ to every fermion, in units of the Standard Model Z's.
        channels: of LEPTONS; the charged leptons that Z′, γ*/Z and W may decay to.
        mass_range: GeV, window of the dilepton mass in the hard process; None for the process's own.
        centre_of_mass_energy: GeV.
    """

    mass: float | None
    coupling: float
    channels: tuple[str, ...]
    mass_range: tuple[float, float] | None
    centre_of_mass_energy: float


@dataclass(frozen=True)
class HardProcess:
    """One process: how Pythia is told of it and what its lowest order is made of.

    Attributes:
        settings: Pythia's settings for a request. The cross-section that Pythia then gives is that of the
            decays left open: it holds the branching fractions of every Z′, γ*/Z, W and t in the process.
        strong_coupling_power: n of the αs(μR)ⁿ in the matrix element.
        minimum_leptons: charged leptons of the hard process that an event must have to be kept; decays with
            fewer are counted in the filter efficiency.
    """

    settings: Callable[[Request], Settings]
    strong_coupling_power: int
    minimum_leptons: int = 0


def _flavours(request: Request) -> str:
    return " ".join(str(LEPTONS[channel]) for channel in request.channels)


def _zprime(request: Request) -> Settings:
    if request.mass is None:
        raise ProcessError("process 'zprime': expected the mass of the Z′, found none; give --mass, in GeV")
    if request.mass >= request.centre_of_mass_energy:
        raise ProcessError(
            f"process 'zprime': expected a mass below √s = {request.centre_of_mass_energy:g} GeV, "
            f"found {request.mass:g} GeV; lower --mass or raise --sqrt-s"
        )
    lowest = ZPRIME_MINIMUM_MASS_FRACTION * request.mass
    return (
        "NewGaugeBoson:ffbar2gmZZprime = on",
        "Zprime:gmZmode = 3",
        f"32:m0 = {request.mass!r}",
        "32:onMode = off",
        f"32:onIfAny = {_flavours(request)}",
        *(f"Zprime:{name} = {request.coupling * value!r}" for name, value in _SEQUENTIAL_COUPLINGS.items()),
        *_window(request.mass_range or (lowest, request.centre_of_mass_energy)),
    )


def _drell_yan(request: Request) -> Settings:
    window = request.mass_range or (DRELL_YAN_MINIMUM_MASS, request.centre_of_mass_energy)
    return (
        "WeakSingleBoson:ffbar2gmZ = on",
        "23:onMode = off",
        f"23:onIfAny = {_flavours(request)}",
        *_window(window),
    )


def _window(mass_range: tuple[float, float]) -> Settings:
    low, high = mass_range
    return (f"PhaseSpace:mHatMin = {low!r}", f"PhaseSpace:mHatMax = {high!r}")


def _ttbar(request: Request) -> Settings:
    _refuse_window("ttbar", request)
    return (
        "Top:gg2ttbar = on",
        "Top:qqbar2ttbar = on",
        "24:onMode = off",
        f"24:onIfAny = {_flavours(request)}",
    )


def _diboson(request: Request) -> Settings:
    _refuse_window("diboson", request)
    neutrinos = " ".join(str(neutrino) for neutrino in NEUTRINOS)
    return (
        "WeakDoubleBoson:ffbar2gmZgmZ = on",
        "WeakDoubleBoson:ffbar2ZW = on",
        "WeakDoubleBoson:ffbar2WW = on",
        "24:onMode = off",
        f"24:onIfAny = {_flavours(request)}",
        "23:onMode = off",
        f"23:onIfAny = {_flavours(request)} {neutrinos}",
    )


def _refuse_window(process: str, request: Request) -> None:
    if request.mass_range is not None:
        raise ProcessError(
            f"process '{process}': expected no --mass-range, since its leptons have no common parent, found "
            f"{request.mass_range[0]:g} {request.mass_range[1]:g}; use --filter-mass"
        )


PROCESSES: Mapping[str, HardProcess] = {
    "zprime": HardProcess(_zprime, strong_coupling_power=0),
    "drell_yan": HardProcess(_drell_yan, strong_coupling_power=0),
    "ttbar": HardProcess(_ttbar, strong_coupling_power=2),
    "diboson": HardProcess(_diboson, strong_coupling_power=0, minimum_leptons=2),
}


def settings(process: str, request: Request) -> Settings:
    """Pythia's settings of one process, after checking that the request makes sense.

    Raises:
        ProcessError: a Z′ without mass, a coupling that is not positive, an empty mass window, …
    """
    _check(process, request)
    return PROCESSES[process].settings(request)


def _check(process: str, request: Request) -> None:
    positive: Sequence[tuple[str, float | None, str]] = (
        ("--coupling", request.coupling, ""),
        ("--sqrt-s", request.centre_of_mass_energy, " GeV"),
        ("--mass", request.mass, " GeV"),
    )
    for option, value, unit in positive:
        if value is not None and not value > 0:
            raise ProcessError(f"process '{process}': expected {option} above 0{unit}, found {value}{unit}")
    if request.mass is not None and process != "zprime":
        raise ProcessError(
            f"process '{process}': expected no --mass, which is that of a Z′, found {request.mass:g} GeV; "
            "leave it out"
        )
    if request.mass_range is None:
        return
    low, high = request.mass_range
    if low >= request.centre_of_mass_energy:
        raise ProcessError(
            f"process '{process}': expected --mass-range to begin below √s = "
            f"{request.centre_of_mass_energy:g} GeV, found {low:g} GeV; lower it or raise --sqrt-s"
        )
    if not 0 < low < high:
        raise ProcessError(
            f"process '{process}': expected --mass-range LOW HIGH with 0 < LOW < HIGH in GeV, "
            f"found {low:g} {high:g}; swap or mend them"
        )
