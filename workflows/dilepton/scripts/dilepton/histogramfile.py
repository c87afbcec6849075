"""The files between the steps: histograms.root of one sample and data.root, as TH1D and one text object."""

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import hist
import numpy as np
import uproot

from dilepton import metadata, rootfile
from dilepton.errors import AnalysisError
from dilepton.filling import Yields
from dilepton.metadata import SampleMetadata
from dilepton.regions import Analysis, Observable, Region

OBSERVED = "observed"


class HistogramError(AnalysisError):
    """A file of histograms that can't be used with this regions.yaml, luminosity or fit."""


@dataclass(frozen=True)
class SampleHistograms:
    """One sample's expected events in the fit's bins, shape (bins,), by (region, variation)."""

    path: Path
    sample: SampleMetadata
    luminosity_ifb: float
    warnings: tuple[str, ...]
    yields: Mapping[tuple[str, str], np.ndarray]
    variances: Mapping[tuple[str, str], np.ndarray]


@dataclass(frozen=True)
class DataMetadata:
    """How a pseudo-dataset was drawn. `largest_event_weight`: largest probability asked for, by region."""

    seed: int
    luminosity_ifb: float
    signal_strength: float
    inputs: tuple[str, ...]
    largest_event_weight: Mapping[str, float]


@dataclass(frozen=True)
class ObservedData:
    """Observed events by region, shape (bins,)."""

    path: Path
    metadata: DataMetadata
    counts: Mapping[str, np.ndarray]


def write_sample(
    path: Path,
    analysis: Analysis,
    yields: Iterable[Yields],
    *,
    sample: SampleMetadata,
    luminosity: float,
    warnings: Iterable[str],
) -> None:
    """Write one sample's histograms, flow bins and sums of squares too.

    Raises:
        OSError: the file can't be written.
    """
    about = {
        "sample": json.loads(sample.to_json()),
        "luminosity_ifb": luminosity,
        "warnings": list(warnings),
    }
    contents: dict[str, hist.Hist | str] = {"metadata": json.dumps(about, sort_keys=True)}
    for one in yields:
        region = analysis.region(one.region)
        contents[f"{one.region}/{one.variation}"] = _histogram(region.observable, one.values, one.variances)
    _write(path, contents)


def write_data(path: Path, analysis: Analysis, counts: Mapping[str, np.ndarray], about: DataMetadata) -> None:
    """Write observed events; `counts` by region, shape (bins + 2,) with flow bins.

    Raises:
        OSError: the file can't be written.
    """
    contents: dict[str, hist.Hist | str] = {"metadata": json.dumps(asdict(about), sort_keys=True)}
    for region in analysis.regions:
        values = counts[region.name].astype(float)
        contents[f"{region.name}/{OBSERVED}"] = _histogram(region.observable, values, values)
    _write(path, contents)


def read_sample(path: Path, analysis: Analysis, luminosity: float) -> SampleHistograms:
    """Read one sample's histograms, made with the same regions and the same luminosity.

    Raises:
        HistogramError: another binning or luminosity, or not a file of histogram.py.
        OSError: the file can't be read.
    """
    with _read(path, "histogram.py") as file:
        about = _about(file, path, "histogram.py", {"sample", "luminosity_ifb", "warnings"})
        _same_luminosity(path, about["luminosity_ifb"], luminosity)
        values, variances = {}, {}
        for name in file.keys(cycle=False, recursive=True, filter_classname="TH1D"):
            region_name, _, variation = name.partition("/")
            if region_name not in {r.name for r in analysis.regions}:
                continue
            found = _checked(file[name], path, name, analysis.region(region_name))
            values[region_name, variation] = found.values()
            variances[region_name, variation] = found.variances()
        for region in analysis.regions:
            if (region.name, "nominal") not in values:
                raise HistogramError(
                    f"'{path}': expected a histogram '{region.name}/nominal', found none; "
                    "run histogram.py again with this regions.yaml"
                )
    sample = metadata.checked(metadata.from_json(json.dumps(about["sample"]), f"'{path}'"), f"'{path}'")
    return SampleHistograms(
        path, sample, about["luminosity_ifb"], tuple(about["warnings"]), values, variances
    )


def read_data(path: Path, analysis: Analysis, luminosity: float) -> ObservedData:
    """Read observed events, of the same luminosity and regions.

    Raises:
        HistogramError: another binning or luminosity, or not a file of pseudodata.py.
        OSError: the file can't be read.
    """
    with _read(path, "pseudodata.py") as file:
        about = _about(file, path, "pseudodata.py", {field.name for field in fields(DataMetadata)})
        _same_luminosity(path, about["luminosity_ifb"], luminosity)
        counts = {}
        keys = set(file.keys(cycle=False, recursive=True, filter_classname="TH1D"))
        for region in analysis.regions:
            name = f"{region.name}/{OBSERVED}"
            if name not in keys:
                raise HistogramError(
                    f"'{path}': expected a histogram '{name}', found none; make the data with this "
                    "regions.yaml"
                )
            counts[region.name] = _checked(file[name], path, name, region).values()
            if (counts[region.name] < 0).any():
                raise HistogramError(
                    f"'{path}': histogram '{name}': expected numbers of events, found "
                    f"{counts[region.name].min():g}; make the data again with pseudodata.py"
                )
    return ObservedData(path, DataMetadata(**{**about, "inputs": tuple(about["inputs"])}), counts)


def _write(path: Path, contents: Mapping[str, hist.Hist | str]) -> None:
    with rootfile.create(path) as file:
        for name, content in contents.items():
            file[name] = content


def _histogram(observable: Observable, values: np.ndarray, variances: np.ndarray) -> hist.Hist:
    axis = hist.axis.Variable(list(observable.edges), name=observable.branch, label=observable.title)
    filled = hist.Hist(axis, storage=hist.storage.Weight())
    view = filled.view(flow=True)
    view.value, view.variance = values, variances
    return filled


def _about(file: uproot.ReadOnlyDirectory, path: Path, program: str, expected: set[str]) -> dict[str, Any]:
    if "metadata" not in file.keys(cycle=False):
        raise HistogramError(f"'{path}': expected an object 'metadata', found none; make it with {program}")
    about = json.loads(str(file["metadata"]))
    if not isinstance(about, dict) or set(about) != expected:
        lacking = ", ".join(sorted(expected - set(about))) or "that alone"
        raise HistogramError(
            f"'{path}': expected a file of {program}, found one whose metadata have not {lacking}; "
            f"give one that {program} made"
        )
    return about


@contextmanager
def _read(path: Path, program: str) -> Iterator[uproot.ReadOnlyDirectory]:
    with rootfile.opened(path, program) as file, rootfile.reading(path, program):
        yield file


def _same_luminosity(path: Path, found: float, expected: float) -> None:
    if not np.isclose(found, expected, rtol=1e-9, atol=0.0):
        raise HistogramError(
            f"'{path}': expected histograms at {expected:g} fb⁻¹, found {found:g} fb⁻¹; "
            f"make the file again with --luminosity-ifb {expected:g}"
        )


def _checked(found: Any, path: Path, name: str, region: Region) -> Any:
    edges = found.axis().edges()
    expected = np.asarray(region.observable.edges)
    if len(edges) != len(expected) or not np.allclose(edges, expected, rtol=1e-9, atol=0.0):
        raise HistogramError(
            f"'{path}': histogram '{name}': expected the bin edges {expected.tolist()} of regions.yaml, "
            f"found {edges.tolist()}; make the file again"
        )
    bad = ~(np.isfinite(found.values()) & np.isfinite(found.variances()))
    if bad.any():
        raise HistogramError(
            f"'{path}': histogram '{name}': expected finite events in every bin, found {int(bad.sum())} of "
            f"{len(bad)} that are no numbers; make the file again from events with finite weights"
        )
    return found
