"""Reading the flat ntuples of the reduction, in chunks, with what is wrong with them said first.

A sample may come in parts, each generated with its own seed: they are read as one.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import uproot

from dilepton import metadata, rootfile
from dilepton.errors import AnalysisError
from dilepton.metadata import SampleMetadata

TREE = "events"
Columns = dict[str, np.ndarray]


class NtupleError(AnalysisError):
    """An ntuple that can't be used; the message names file, expectation and next step."""


class Ntuple:
    """One file of one sample's events, and its metadata.

    Raises:
        RootFileError: no ROOT file, or one that is cut off.
        NtupleError: no tree `events`, no metadata.
        MetadataError: metadata that can't normalise a sample.
        OSError: the file cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = rootfile.opened(path, "reduce.py")
        self._tree = self._opened_tree()
        self.metadata = self._read_metadata()
        self.branches = frozenset(self._tree.keys())

    def _opened_tree(self) -> uproot.TTree:
        keys = self._file.keys(cycle=False)
        if TREE not in keys:
            raise NtupleError(
                f"'{self.path}': expected a tree '{TREE}', found {', '.join(sorted(keys)) or 'nothing'}; "
                "give an ntuple written by reduce.py"
            )
        with rootfile.reading(self.path, "reduce.py"):
            return self._file[TREE]

    def _read_metadata(self) -> SampleMetadata:
        if "metadata" not in self._file.keys(cycle=False):
            raise NtupleError(
                f"'{self.path}': expected an object 'metadata', found none; make it again with reduce.py"
            )
        source = f"'{self.path}'"
        with rootfile.reading(self.path, "reduce.py"):
            text = str(self._file["metadata"])
        return metadata.checked(metadata.from_json(text, source), source)

    def chunks(self, branches: Iterable[str], size: int) -> Iterator[Columns]:
        """Give the events in chunks of at most `size`: arrays of shape (events,), by branch.

        Raises:
            RootFileError: the file is damaged.
        """
        wanted = sorted(set(branches))
        with rootfile.reading(self.path, "reduce.py"):
            yield from self._tree.iterate(wanted, step_size=size, library="np")


class Sample:
    """The events of one sample, from all of its parts, normalised together.

    Raises:
        NtupleError: the parts are of different samples.
    """

    def __init__(self, parts: Sequence[Ntuple]) -> None:
        self._parts = tuple(parts)
        self.metadata = _together([part.metadata for part in parts], [part.path for part in parts])
        self.branches = frozenset.intersection(*(part.branches for part in parts))

    @property
    def path(self) -> Path:
        """The first part's file, to name in messages."""
        return self._parts[0].path

    def require(self, needs: Iterable[tuple[str, str]]) -> None:
        """Check that branches are there; `needs` are pairs (branch, who needs it).

        Raises:
            NtupleError: names the branch that is missing and who needs it.
        """
        for branch, user in needs:
            for part in self._parts:
                if branch not in part.branches:
                    raise NtupleError(
                        f"'{part.path}': {user} needs the branch '{branch}', which sample "
                        f"'{self.metadata.sample}' does not have; make the ntuple again with it, or change "
                        "regions.yaml"
                    )

    def chunks(self, branches: Iterable[str], size: int) -> Iterator[Columns]:
        """Give the events of all parts in chunks of at most `size`: arrays of shape (events,), by branch.

        Raises:
            RootFileError: a file is damaged.
        """
        wanted = list(branches)
        for part in self._parts:
            yield from part.chunks(wanted, size)

    def expected_per_weight(self, luminosity: float) -> float:
        """Expected events at `luminosity` (fb⁻¹) for one unit of generator weight."""
        about = self.metadata
        produced = luminosity * 1000 * about.cross_section_pb * about.k_factor * about.filter_efficiency
        return produced / about.sum_of_weights

    def check_finite(self, chunk: Columns, branches: Iterable[str]) -> None:
        """Refuse weights that are not numbers.

        Raises:
            NtupleError: names the sample, the branch and the first bad event of the chunk.
        """
        for branch in branches:
            bad = ~np.isfinite(chunk[branch])
            if bad.any():
                row = int(np.argmax(bad))
                raise NtupleError(
                    f"'{self.path}': sample '{self.metadata.sample}', branch '{branch}': expected finite "
                    f"weights, found {chunk[branch][row]} in {int(bad.sum())} events; remove these events or "
                    "make the sample again"
                )


def samples(paths: Iterable[Path]) -> list[Sample]:
    """Open ntuples and put the parts of each sample together, in the order of their first part.

    Raises:
        NtupleError: a file is no ntuple, or was given twice.
        MetadataError: a sample can't be normalised.
        OSError: a file can't be read.
    """
    parts: dict[str, list[Ntuple]] = {}
    for path in paths:
        ntuple = Ntuple(path)
        parts.setdefault(ntuple.metadata.sample, []).append(ntuple)
    return [Sample(found) for found in parts.values()]


def _together(parts: Sequence[SampleMetadata], paths: Sequence[Path]) -> SampleMetadata:
    first = parts[0]
    for part, path in zip(parts[1:], paths[1:], strict=True):
        for name in ("sample", "process", "k_factor", "luminosity_ifb"):
            if getattr(part, name) != getattr(first, name):
                raise NtupleError(
                    f"'{path}': expected a further part of '{paths[0]}' with {name} "
                    f"{getattr(first, name)!r}, found {getattr(part, name)!r}; give the parts of one "
                    "sample together"
                )
    for path, part in zip(paths, parts, strict=True):
        if sum(p.seed == part.seed for p in parts) > 1:
            raise NtupleError(
                f"'{path}': expected parts with seeds of their own, found seed {part.seed} twice; "
                "generate one of them with another seed"
            )
    if len(parts) == 1:
        return first
    events = np.array([p.events for p in parts], dtype=float)
    share = events / events.sum()
    uncertainty = np.array([p.cross_section_uncertainty_pb for p in parts])
    names = set.intersection(*(set(p.variation_sums) for p in parts))
    return replace(
        first,
        cross_section_pb=float(share @ [p.cross_section_pb for p in parts]),
        cross_section_uncertainty_pb=float(np.sqrt(((share * uncertainty) ** 2).sum())),
        filter_efficiency=float(1 / (share @ [1 / p.filter_efficiency for p in parts])),
        sum_of_weights=sum(p.sum_of_weights for p in parts),
        sum_of_weights_squared=sum(p.sum_of_weights_squared for p in parts),
        variation_sums={n: sum(p.variation_sums[n] for p in parts) for n in sorted(names)},
        events=sum(p.events for p in parts),
    )
