"""Which samples a run has, from which files or generator options, seeds and numbers of events each is made.

Used by the workflow's rules, which turn it into jobs; it imports nothing that a workflow engine lacks.
"""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dilepton.errors import AnalysisError

SIGNAL = "signal"
TEMPLATES = "templates"
PSEUDODATA = "pseudodata"
LARGEST_SEED = 900_000_000
"""Pythia's own limit (Pythia 8.3 manual, Random-Number Seed)."""

_GENERATION = {
    "mass": "--mass",
    "coupling": "--coupling",
    "filter_mass": "--filter-mass",
    "filter_mass_max": "--filter-mass-max",
    "lhe": "--lhe",
}
_METADATA = {
    "cross_section": "--cross-section-pb",
    "cross_section_uncertainty": "--cross-section-uncertainty-pb",
    "k_factor": "--k-factor",
    "filter_efficiency": "--filter-efficiency",
    "sum_of_weights": "--sum-of-weights",
    "luminosity": "--luminosity-ifb",
}


class PlanError(AnalysisError):
    """A configuration whose parts, each right in itself, do not fit together."""


@dataclass(frozen=True)
class Plan:
    """The samples of one run, from a configuration that `configuration.check` has passed."""

    configuration: Mapping[str, Any]

    def __post_init__(self) -> None:
        signal = self.configuration["signal"]
        if self.injects_signal and "hepmc" in signal:
            raise PlanError(
                f"signal.strength is {signal['strength']} while signal.hepmc is given: pseudo-data need "
                "events independent of the templates; set signal.strength to 0 or leave signal.hepmc out"
            )
        for name in [SIGNAL, *self.backgrounds]:
            given = [key for key in ("hepmc", "lhe") if key in self._sample(name)]
            if len(given) > 1:
                raise PlanError(f"sample '{name}' has both hepmc and lhe; keep the one to use")
        for name in self.backgrounds:
            low, high = self._sample(name).get("mass_range", (0.0, 1.0))
            if low >= high:
                raise PlanError(
                    f"sample '{name}': mass_range goes from {low:g} to {high:g} GeV; put the lower mass first"
                )

    @property
    def backgrounds(self) -> list[str]:
        """Names of the background samples, sorted: no result depends on the order in the configuration."""
        return sorted(self.configuration["samples"])

    @property
    def injects_signal(self) -> bool:
        """Whether the pseudo-data contain signal."""
        return bool(self.configuration["signal"]["strength"] > 0)

    def parts(self, sample: str) -> list[int]:
        """Numbers of the jobs that share a sample's events; a file that is given is one part."""
        return [0] if "hepmc" in self._sample(sample) else list(range(self.configuration["parts"]))

    def given(self, stream: str, sample: str) -> str | None:
        """The HepMC file that stands in for generated events, if any."""
        files = self._sample(sample).get("hepmc")
        return files[stream] if isinstance(files, Mapping) else files

    def showered(self, sample: str) -> str | None:
        """The LHE file that is to be showered, if any."""
        return self._sample(sample).get("lhe")

    def seed(self, purpose: str, stream: str, sample: str, part: int) -> int:
        """A seed in [1, 900 000 000] that no other job of the run shares but by chance."""
        text = f"{self.configuration['seed']}/{purpose}/{stream}/{sample}/{part}"
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") % LARGEST_SEED + 1

    def generation_options(self, stream: str, sample: str, part: int) -> str:
        """The options of generate.py for one part, quoted for a shell."""
        entry = self._sample(sample)
        parts = self.configuration["parts"]
        total = entry.get("events", self.configuration["events"][stream])
        options = ["--process", entry["process"], "--events", str(total // parts + (part < total % parts))]
        options += ["--seed", str(self.seed("generation", stream, sample, part))]
        options += ["--sqrt-s", _number(self.configuration["sqrt_s"])]
        for key, option in _GENERATION.items():
            if key in entry:
                options += [option, entry[key] if key == "lhe" else _number(entry[key])]
        if "mass_range" in entry:
            options += ["--mass-range", *map(_number, entry["mass_range"])]
        if "channels" in entry:
            options += ["--channels", *entry["channels"]]
        if not self.configuration["multiple_interactions"]:
            options.append("--no-multiple-interactions")
        # Observed events have no systematic variations.
        varied = self.configuration["variations"] and stream == TEMPLATES
        options += ["--variations", "all" if varied else "none"]
        return shlex.join(options)

    def reduction_options(self, stream: str, sample: str, part: int) -> str:
        """The options of reduce.py for one part, quoted for a shell."""
        entry = self._sample(sample)
        options = ["--sample", sample, "--seed", str(self.seed("reduction", stream, sample, part))]
        for key, option in _METADATA.items():
            if key in entry:
                options += [option, _number(entry[key])]
        return shlex.join(options)

    def injection_options(self, ntuples: list[str]) -> str:
        """The options of pseudodata.py that inject the signal, or none."""
        if not self.injects_signal:
            return ""
        strength = self.configuration["signal"]["strength"]
        return shlex.join(["--signal", *ntuples, "--signal-strength", _number(strength)])

    @property
    def plot_options(self) -> str:
        """The options of fit.py that choose the plots' formats, or none."""
        formats = self.configuration.get("plot_formats")
        return shlex.join(["--plot-formats", *formats]) if formats else ""

    def _sample(self, name: str) -> Mapping[str, Any]:
        return self.configuration["signal"] if name == SIGNAL else self.configuration["samples"][name]


def _number(value: float) -> str:
    return f"{value:.12g}"
