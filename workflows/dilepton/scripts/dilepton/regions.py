"""What regions.yaml declares, as frozen dataclasses."""

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import pairwise
from pathlib import Path
from typing import Any

from dilepton import configuration
from dilepton.errors import AnalysisError

SCHEMA = Path(__file__).parents[2] / "schemas" / "regions.schema.json"
CHANNELS = {"ee": 121, "emu": 143, "mumu": 169}
CHARGES = {"opposite": -1, "same": 1}


class DeclarationError(AnalysisError):
    """regions.yaml follows its schema but contradicts itself."""


@dataclass(frozen=True)
class Process:
    """Samples that are summed: their names match one of the patterns `samples`."""

    name: str
    title: str
    samples: tuple[str, ...]
    is_signal: bool
    colour: str


@dataclass(frozen=True)
class Cut:
    """An event passes if low ≤ branch < high; None leaves a side open."""

    branch: str
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Observable:
    """A branch and its bin edges, in `unit`."""

    branch: str
    title: str
    unit: str
    edges: tuple[float, ...]
    overflow_in_last_bin: bool

    @property
    def bins(self) -> int:
        """Number of bins."""
        return len(self.edges) - 1


@dataclass(frozen=True)
class Region:
    """Selected events: pair codes of `channel` (None: all), charge product (None: both) and all `cuts`."""

    name: str
    title: str
    kind: str
    channel: int | None
    charge_product: int | None
    cuts: tuple[Cut, ...]
    observable: Observable
    prescale: float
    fitted: bool


@dataclass(frozen=True)
class Luminosity:
    """Relative uncertainty of the luminosity, on all simulated processes that data do not normalise."""

    name: str
    title: str
    uncertainty: float


@dataclass(frozen=True)
class Normalisation:
    """Factors on the yields of `processes` at plus and minus one standard deviation."""

    name: str
    title: str
    processes: frozenset[str]
    up: float
    down: float


@dataclass(frozen=True)
class FreeNormalisation:
    """One unconstrained factor on the yields of `processes`."""

    name: str
    title: str
    processes: frozenset[str]
    low: float
    high: float


@dataclass(frozen=True)
class ShapeSystematic:
    """Branches replaced by those with a suffix, where the ntuple has them."""

    name: str
    title: str
    processes: frozenset[str]
    up: str
    down: str
    refuse_missing: bool


@dataclass(frozen=True)
class WeightSystematic:
    """One factor of the event's weight (`replaces`) exchanged for another branch."""

    name: str
    title: str
    processes: frozenset[str]
    replaces: str
    up: str
    down: str
    refuse_missing: bool


@dataclass(frozen=True)
class GeneratorSystematic:
    """Generator weights by name pattern; `combine` makes one up and one down variation of them all."""

    name: str
    title: str
    processes: frozenset[str]
    variations: tuple[str, ...]
    combine: str
    acceptance_only: bool
    refuse_missing: bool


Systematic = (
    Luminosity | Normalisation | FreeNormalisation | ShapeSystematic | WeightSystematic | GeneratorSystematic
)


@dataclass(frozen=True)
class TransferFactor:
    """A process whose yields, in all regions, follow the data of its control region.

    The simulated ratio between region and control bin is the transfer factor, known within `uncertainty`.
    """

    name: str
    title: str
    process: str
    control: str
    binwise: bool
    uncertainty: float


@dataclass(frozen=True)
class ABCD:
    """A process without simulation: in `target` it is `side` × `other_side` / `corner`, within `uncertainty`.

    The product is taken bin by bin of target and side; the other two regions have one bin.
    """

    name: str
    title: str
    process: str
    target: str
    side: str
    other_side: str
    corner: str
    uncertainty: float


@dataclass(frozen=True)
class FitSettings:
    """What the fit reports. A bin's statistics count from `statistics_threshold` (relative) on."""

    confidence_level: float
    test_statistic: str
    strength_low: float
    strength_high: float
    statistics_threshold: float
    signal_statistics: bool
    prune_normalisation: float
    prune_shape: float
    shape_statistics: float
    empty_bin_events: float
    empty_bin_uncertainty: float


@dataclass(frozen=True)
class PlotSettings:
    """File formats, the label in the corner, and dots per inch."""

    formats: tuple[str, ...]
    label: str
    resolution: int


@dataclass(frozen=True)
class Analysis:
    """All that regions.yaml declares."""

    processes: tuple[Process, ...]
    regions: tuple[Region, ...]
    systematics: tuple[Systematic, ...]
    data_driven: tuple[TransferFactor | ABCD, ...]
    fit: FitSettings
    plots: PlotSettings

    def process_of(self, sample: str) -> Process:
        """Return the one process that a sample belongs to.

        Raises:
            DeclarationError: no process, or more than one, has a pattern for this name.
        """
        found = [p for p in self.processes if any(fnmatchcase(sample, pattern) for pattern in p.samples)]
        if len(found) != 1:
            known = "; ".join(f"{p.name}: {', '.join(p.samples)}" for p in self.processes if p.samples)
            matching = ", ".join(p.name for p in found) or "none"
            raise DeclarationError(
                f"sample '{sample}': expected exactly one process with a matching pattern, found {matching} "
                f"({known}); add the sample to one process of regions.yaml"
            )
        return found[0]

    def process(self, name: str) -> Process:
        """Return a process by its name."""
        return next(p for p in self.processes if p.name == name)

    def region(self, name: str) -> Region:
        """Return a region by its name."""
        return next(r for r in self.regions if r.name == name)

    @property
    def signal(self) -> Process:
        """The process whose strength is measured."""
        return next(p for p in self.processes if p.is_signal)

    def from_data(self, process: str) -> TransferFactor | ABCD | None:
        """Return how data normalise a process, or None if its prediction is simulation alone."""
        return next((d for d in self.data_driven if d.process == process), None)


def read(path: Path) -> Analysis:
    """Read and check regions.yaml.

    Raises:
        ConfigurationError: it does not follow its schema.
        DeclarationError: it names what it does not declare, or declares what can't be.
    """
    document = configuration.load(path, SCHEMA)
    processes = tuple(_process(name, value) for name, value in document["processes"].items())
    analysis = Analysis(
        processes,
        tuple(_region(name, value) for name, value in document["regions"].items()),
        tuple(_systematic(name, value, processes) for name, value in document["systematics"].items()),
        tuple(_data_driven(name, value) for name, value in document.get("data_driven", {}).items()),
        _fit(document),
        PlotSettings(
            tuple(document["plots"]["formats"]), document["plots"]["label"], document["plots"]["resolution"]
        ),
    )
    for complaint in _contradictions(analysis):
        raise DeclarationError(f"{path}: {complaint}")
    return analysis


def _process(name: str, value: Mapping[str, Any]) -> Process:
    return Process(name, value["title"], tuple(value["samples"]), value["role"] == "signal", value["colour"])


def _region(name: str, value: Mapping[str, Any]) -> Region:
    selection, seen = value["selection"], value["observable"]
    return Region(
        name,
        value["title"],
        value["kind"],
        CHANNELS[selection["channel"]] if "channel" in selection else None,
        CHARGES[selection["charge"]] if "charge" in selection else None,
        tuple(Cut(cut["branch"], cut.get("min"), cut.get("max")) for cut in selection.get("ranges", [])),
        Observable(
            seen["branch"],
            seen["title"],
            seen["unit"],
            tuple(float(edge) for edge in seen["edges"]),
            seen["overflow"] == "last_bin",
        ),
        float(value.get("prescale", 1)),
        value["fitted"],
    )


def _systematic(name: str, value: Mapping[str, Any], processes: tuple[Process, ...]) -> Systematic:
    title = value["title"]
    acts_on = frozenset(value.get("processes", [p.name for p in processes if p.samples]))
    refuse = value.get("missing") == "refuse"
    match value["type"]:
        case "luminosity":
            return Luminosity(name, title, value["uncertainty"])
        case "normalisation":
            return Normalisation(name, title, acts_on, value["up"], value["down"])
        case "free_normalisation":
            return FreeNormalisation(name, title, acts_on, *value["range"])
        case "shape":
            return ShapeSystematic(name, title, acts_on, value["up"], value["down"], refuse)
        case "weight":
            return WeightSystematic(
                name, title, acts_on, value["replaces"], value["up"], value["down"], refuse
            )
    return GeneratorSystematic(
        name,
        title,
        acts_on,
        tuple(value["variations"]),
        value["combine"],
        value["effect"] == "acceptance",
        refuse,
    )


def _data_driven(name: str, value: Mapping[str, Any]) -> TransferFactor | ABCD:
    uncertainty = float(value["uncertainty"])
    if value["method"] == "transfer_factor":
        binwise = value["bins"] == "binwise"
        return TransferFactor(name, value["title"], value["process"], value["control"], binwise, uncertainty)
    corners = value["regions"]
    return ABCD(
        name,
        value["title"],
        value["process"],
        corners["target"],
        corners["side"],
        corners["other_side"],
        corners["corner"],
        uncertainty,
    )


def _fit(document: Mapping[str, Any]) -> FitSettings:
    fit, statistics = document["fit"], document["mc_statistics"]
    low, high = fit["strength_range"]
    return FitSettings(
        fit["confidence_level"],
        fit["test_statistic"],
        float(low),
        float(high),
        statistics["threshold"],
        statistics["signal"],
        document["pruning"]["normalisation"],
        document["pruning"]["shape"],
        document["pruning"]["shape_statistics"],
        document["empty_bins"]["minimum_events"],
        document["empty_bins"]["relative_uncertainty"],
    )


def _contradictions(analysis: Analysis) -> list[str]:
    processes = {p.name for p in analysis.processes}
    regions = {r.name: r for r in analysis.regions}
    found: list[str] = []
    signals = [p.name for p in analysis.processes if p.is_signal]
    if len(signals) != 1:
        found.append(
            f"expected exactly one process with 'role: signal', found {', '.join(signals) or 'none'}; "
            "change the role of one"
        )
    if not any(r.fitted for r in analysis.regions):
        found.append("expected at least one region with 'fitted: true', found none; declare one so")
    luminosities = [s.name for s in analysis.systematics if isinstance(s, Luminosity)]
    if len(luminosities) > 1:
        found.append(
            f"expected at most one systematic of type 'luminosity', found {', '.join(luminosities)}; keep one"
        )
    for region in analysis.regions:
        edges = region.observable.edges
        if any(high <= low for low, high in pairwise(edges)):
            found.append(f"region '{region.name}': expected rising edges, found {list(edges)}; sort them")
        found += [
            f"region '{region.name}': range of '{cut.branch}': expected min below max, found {cut.low:g} and "
            f"{cut.high:g}; nothing would pass"
            for cut in region.cuts
            if cut.low is not None and cut.high is not None and cut.high <= cut.low
        ]
    for systematic in analysis.systematics:
        unknown = sorted(getattr(systematic, "processes", frozenset()) - processes)
        found += [
            f"systematic '{systematic.name}': there is no process '{name}'; declare it under 'processes', or "
            f"name one of {', '.join(sorted(processes))}"
            for name in unknown
        ]
    for method in analysis.data_driven:
        found += _wrong_method(method, processes, regions)
    if analysis.fit.strength_high <= max(analysis.fit.strength_low, 0.0):
        low, high = analysis.fit.strength_low, analysis.fit.strength_high
        found.append(
            f"'fit.strength_range': expected the second to be positive and above the first, found {low:g} "
            f"and {high:g}; write [0, 100], for example"
        )
    if analysis.fit.test_statistic == "q" and analysis.fit.strength_low >= 0:
        found.append(
            f"'fit.strength_range': expected a negative lowest strength for the test statistic 'q', found "
            f"{analysis.fit.strength_low:g}; lower it, or take 'qtilde'"
        )
    return found


def _wrong_method(
    method: TransferFactor | ABCD, processes: set[str], regions: Mapping[str, Region]
) -> list[str]:
    label = f"data-driven background '{method.name}'"
    found = []
    if method.process not in processes:
        known = ", ".join(sorted(processes))
        found.append(f"{label}: there is no process '{method.process}'; name one of {known}")
    used = (
        (method.control,)
        if isinstance(method, TransferFactor)
        else (method.target, method.side, method.other_side, method.corner)
    )
    for name in used:
        if name not in regions:
            found.append(f"{label}: there is no region '{name}'; name one of {', '.join(regions)}")
        elif not regions[name].fitted:
            found.append(
                f"{label}: expected 'fitted: true' of region '{name}', whose data normalise the process, "
                "found false; change it"
            )
    if found:
        return found
    if isinstance(method, TransferFactor) and method.binwise:
        others = [r for r in regions.values() if r.observable.bins != regions[method.control].observable.bins]
        found += [f"{label}: bin by bin, '{r.name}' needs as many bins as '{method.control}'" for r in others]
    if isinstance(method, ABCD):
        target, side = regions[method.target].observable, regions[method.side].observable
        if target.edges != side.edges:
            found.append(f"{label}: '{method.side}' gives the shape and needs the edges of '{method.target}'")
        several = [n for n in (method.other_side, method.corner) if regions[n].observable.bins > 1]
        found += [f"{label}: region '{name}' must have one bin, the ratio is one number" for name in several]
    return found
