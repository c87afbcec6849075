"""Ntuples in the format of the reduction with spectra made by hand: fast, and true values are known."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import uproot

from dilepton.metadata import SampleMetadata

ANALYSIS = Path(__file__).parents[2] / "workflows/dilepton"
SCRIPTS = ANALYSIS / "scripts"
REGIONS = ANALYSIS / "regions.yaml"
EE, EMU, MUMU = 121, 143, 169
SHAPES = [
    f"_{lepton}_{what}_{side}"
    for lepton in ("electron", "muon")
    for what in ("scale", "resolution")
    for side in ("up", "down")
]
Columns = dict[str, np.ndarray]


@dataclass(frozen=True)
class Spectrum:
    """A sample's cross-section (pb) and its dilepton masses: a peak, or a power law within a range (GeV)."""

    process: str
    cross_section_pb: float
    low: float
    high: float
    channels: tuple[int, ...] = (EE, MUMU)
    power: float = 4.0
    peak: float | None = None
    width: float = 1.0


SPECTRA = {
    "signal": Spectrum("zprime", 0.02, 0, 6000, peak=2000, width=40),
    "dy_60_120": Spectrum("drell_yan", 1900.0, 60, 120, peak=91.19, width=2.5),
    "dy_300_600": Spectrum("drell_yan", 1.2, 300, 600),
    "dy_600_1000": Spectrum("drell_yan", 0.1, 600, 1000),
    "dy_1000_2000": Spectrum("drell_yan", 0.012, 1000, 2000),
    "dy_2000_13000": Spectrum("drell_yan", 0.0005, 2000, 5000, power=6),
    "ttbar": Spectrum("ttbar", 0.6, 300, 3000, channels=(EE, EMU, EMU, MUMU), power=6),
    "diboson": Spectrum("diboson", 0.05, 300, 3000, channels=(EE, EMU, MUMU), power=5),
}


def masses(spectrum: Spectrum, generator: np.random.Generator, events: int) -> np.ndarray:
    if spectrum.peak is not None:
        return generator.normal(spectrum.peak, spectrum.width, events)
    down = 1 - spectrum.power
    low, high = spectrum.low**down, spectrum.high**down
    return (low + generator.random(events) * (high - low)) ** (1 / down)


def columns(spectrum: Spectrum, events: int, seed: int, *, negative: float = 0.0) -> Columns:
    """All branches of the reduction that the analysis reads; `negative` is the fraction of weights of −1."""
    generator = np.random.default_rng(seed)
    mass = masses(spectrum, generator, events)
    channel = generator.choice(np.array(spectrum.channels, dtype=np.int32), events)
    data: Columns = {
        "event_number": np.arange(events),
        "channel": channel,
        "charge_product": np.full(events, -1, dtype=np.int32),
        "mll": mass,
        "lepton1_pt": mass * generator.uniform(0.4, 0.6, events),
        "lepton2_pt": mass * generator.uniform(0.2, 0.4, events),
        "met": generator.exponential(40.0, events),
        "n_jets": generator.poisson(1.0, events).astype(np.int32),
        "weight": np.where(generator.random(events) < negative, -1.0, 1.0),
        "efficiency": np.full(events, 0.7),
    }
    for suffix in SHAPES:
        lepton = (EE, EMU) if "electron" in suffix else (MUMU, EMU)
        sign = 1 if suffix.endswith("up") else -1
        change = 1 + sign * (0.005 if "scale" in suffix else 0.003 * generator.normal(size=events))
        moved = mass * np.where(np.isin(channel, lepton), change, 1.0)
        data["mll" + suffix] = moved
    electrons = np.where(channel == EE, 2, np.where(channel == EMU, 1, 0))
    for side, sign in (("up", 1), ("down", -1)):
        data[f"efficiency_electron_{side}"] = data["efficiency"] * (1 + sign * 0.01 * electrons)
        data[f"efficiency_muon_{side}"] = data["efficiency"] * (1 + sign * 0.01 * (2 - electrons))
    for name, tilt in (
        ("muR_2", -0.05),
        ("muR_0.5", 0.06),
        ("muF_2", 0.03),
        ("muF_0.5", -0.03),
        ("pdf_other", 0.04),
    ):
        data[f"weight_{name}"] = data["weight"] * (1 + tilt * np.log(np.maximum(mass, 1.0) / 500))
    return data


def metadata(name: str, spectrum: Spectrum, data: Columns, **changes: object) -> SampleMetadata:
    values = {
        "sample": name,
        "process": spectrum.process,
        "generator": "by hand",
        "seed": 1,
        "cross_section_pb": spectrum.cross_section_pb,
        "cross_section_uncertainty_pb": 0.01 * spectrum.cross_section_pb,
        "k_factor": 1.0,
        "filter_efficiency": 1.0,
        "sum_of_weights": float(data["weight"].sum()),
        "sum_of_weights_squared": float((data["weight"] ** 2).sum()),
        "variation_sums": {
            b.removeprefix("weight_"): float(v.sum()) for b, v in data.items() if b.startswith("weight_")
        },
        "events": len(data["weight"]),
        "luminosity_ifb": None,
    }
    return SampleMetadata(**(values | changes))


def write(path: Path, data: Columns, about: SampleMetadata | None) -> Path:
    with uproot.recreate(path) as file:
        file.mktree("events", {name: values.dtype for name, values in data.items()})
        file["events"].extend(data)
        if about is not None:
            file["metadata"] = about.to_json()
    return path


def sample(
    folder: Path, name: str, events: int, seed: int, *, negative: float = 0.0, **changes: object
) -> Path:
    spectrum = SPECTRA[name]
    data = columns(spectrum, events, seed, negative=negative)
    return write(folder / f"{name}.root", data, metadata(name, spectrum, data, seed=seed, **changes))


def all_samples(folder: Path, events: int, seed: int) -> dict[str, Path]:
    """One ntuple of each sample; `seed` makes independent ones."""
    folder.mkdir(parents=True, exist_ok=True)
    return {name: sample(folder, name, events, seed + number) for number, name in enumerate(SPECTRA)}


def regions_with(folder: Path, **changes: Mapping[str, object]) -> Path:
    """regions.yaml with top-level sections replaced or, for mappings, merged one level deep."""
    import yaml

    document = yaml.safe_load(REGIONS.read_text("utf-8"))
    for section, value in changes.items():
        document[section] = {**document.get(section, {}), **value}
    path = folder / "regions.yaml"
    path.write_text(json.dumps(document, ensure_ascii=False), "utf-8")
    return path
