"""Real events of every sample, by the plan, the programs and the samples of the quick configuration."""

import os
import shlex
import subprocess
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import synthetic

from dilepton import configuration, histogramfile, observed, templates
from dilepton.ntuple import Ntuple, Sample
from dilepton.plan import PSEUDODATA, SIGNAL, TEMPLATES, Plan
from dilepton.regions import Analysis
from dilepton.templates import Templates

Program = Callable[..., subprocess.CompletedProcess[str]]
CONFIGURATIONS = synthetic.ANALYSIS / "config"
SCHEMA = synthetic.ANALYSIS / "schemas/config.schema.json"
STREAMS = (TEMPLATES, PSEUDODATA)
# Quick's events a fb⁻¹, or more. More for pseudo-data, so that few of their events come in any two draws:
# their largest p is 0.3. More at the Z peak, to know where it is. Fewer of two bosons, which take longest,
# and of whose pseudo-data few come in any draw.
LUMINOSITY = 2.0
EVENTS = {TEMPLATES: 1500, PSEUDODATA: 3000}
PEAK = "dy_60_120"
EVENTS_OF = {PEAK: 3000, "diboson": 1000}


@dataclass(frozen=True)
class RealEvents:
    """Files of the analysis's programs: ntuples by (stream, sample), histograms by sample."""

    ntuples: Mapping[tuple[str, str], Path]
    histograms: Mapping[str, Path]

    def sample(self, stream: str, name: str) -> Sample:
        return Sample([Ntuple(self.ntuples[stream, name])])

    @property
    def backgrounds(self) -> list[str]:
        return [name for name in self.histograms if name != SIGNAL]

    def templates(self, analysis: Analysis) -> Templates:
        read = {
            name: histogramfile.read_sample(path, analysis, LUMINOSITY)
            for name, path in self.histograms.items()
        }
        return templates.build(analysis, [read.pop(SIGNAL)], list(read.values()))

    def draw(self, analysis: Analysis, seed: int, strength: float = 0.0) -> observed.Drawn:
        """Pseudo-data as pseudodata.py draws them; counts of shape (bins + 2,) by region."""
        drawn = [self.draw_one(analysis, name, seed) for name in self.backgrounds]
        if strength:
            drawn.append(self.draw_one(analysis, SIGNAL, seed, strength))
        return observed.total(analysis, drawn)

    def draw_one(self, analysis: Analysis, name: str, seed: int, strength: float = 1.0) -> observed.Drawn:
        """What one sample adds to a draw."""
        return observed.draw(analysis, self.sample(PSEUDODATA, name), LUMINOSITY, seed, strength)

    def data(self, analysis: Analysis, seed: int, strength: float = 0.0) -> dict[str, np.ndarray]:
        """Events of one draw in the fit's bins, shape (bins,) by region."""
        counts = self.draw(analysis, seed, strength).counts
        return {name: values[1:-1].astype(float) for name, values in counts.items()}


def configured(name: str) -> dict[str, Any]:
    """One of the three configurations."""
    return dict(configuration.load(CONFIGURATIONS / f"{name}.yaml", SCHEMA))


def make(folder: Path, program: Program) -> RealEvents:
    """Generate, reduce and fill histograms of all samples, as many at once as there are cores."""
    settings = configured("quick")
    settings["events"] = EVENTS
    for name, events in EVENTS_OF.items():
        settings["samples"][name]["events"] = events
    plan = Plan(settings)
    for stream in STREAMS:
        (folder / stream).mkdir()

    def run(name: str, *options: object) -> None:
        done = program(name, *options)
        assert done.returncode == 0, done.stderr

    def made(stream: str, sample: str) -> None:
        events = folder / stream / f"{sample}.hepmc.zst"
        run("generate", *shlex.split(plan.generation_options(stream, sample, 0)), "--output", events)
        ntuple = events.with_name(f"{sample}.root")
        options = shlex.split(plan.reduction_options(stream, sample, 0))
        detector = synthetic.ANALYSIS / "detector.yaml"
        run("reduce", *options, "--input", events, "--detector", detector, "--output", ntuple)
        if stream == TEMPLATES:
            declared = ("--regions", synthetic.REGIONS, "--luminosity-ifb", LUMINOSITY)
            run("histogram", "--input", ntuple, *declared, "--output", folder / f"{sample}.root")

    names = [SIGNAL, *plan.backgrounds]
    # The slowest first: the filtered ones, which the plan has last.
    jobs = [(stream, sample) for sample in reversed(names) for stream in STREAMS]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(lambda job: made(*job), jobs))
    return opened(folder, names)


def opened(folder: Path, names: list[str]) -> RealEvents:
    """What `make` made."""
    return RealEvents(
        {(stream, name): folder / stream / f"{name}.root" for stream in STREAMS for name in names},
        {name: folder / f"{name}.root" for name in names},
    )
