"""What the event record tells of the particles: which are prompt, and which leptons the photons belong to."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dilepton import pdgcodes
from dilepton.hepmcreader import EventChunk

_FINAL = 1
_BEAM = 4
_NOWHERE = -1

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Leptons:
    """Prompt electrons and muons with the photons around them; flat arrays, sorted by event, then falling pT.

    Attributes:
        event: (leptons,) index in the chunk.
        rank: (leptons,) 0 for the hardest of its event.
        pid: (leptons,) 11, −11, 13, −13.
        momentum: (4, leptons) px, py, pz, E of the dressed lepton in GeV.
    """

    event: Integers
    rank: Integers
    pid: NDArray[np.int32]
    momentum: Floats

    @property
    def pt(self) -> Floats:
        """GeV."""
        return np.hypot(self.momentum[0], self.momentum[1])

    @property
    def eta(self) -> Floats:
        """Pseudorapidity."""
        return pseudorapidity(self.momentum)

    @property
    def phi(self) -> Floats:
        """Azimuth in (−π, π]."""
        return np.arctan2(self.momentum[1], self.momentum[0])


def from_hadrons(chunk: EventChunk) -> Mask:
    """(particles,) those with a hadron among their ancestors, the colliding protons not counted."""
    hadron = pdgcodes.is_hadron(chunk.pid) & (chunk.status != _BEAM) & (chunk.production != _NOWHERE)
    reached = np.zeros(chunk.vertices + 1, dtype=np.bool_)  # the last stands for "no vertex", −1
    descends = np.zeros(len(chunk.pid), dtype=np.bool_)
    ends = np.unique(chunk.end[hadron & (chunk.end != _NOWHERE)])
    by_vertex = np.argsort(chunk.production, kind="stable")
    starts = np.searchsorted(chunk.production[by_vertex], np.arange(chunk.vertices + 1))
    while ends.size:
        reached[ends] = True
        children = by_vertex[_ranges(starts[ends], starts[ends + 1])]
        descends[children] = True
        ends = np.unique(chunk.end[children])
        ends = ends[(ends != _NOWHERE) & ~reached[ends]]
    return descends


def dressed_leptons(chunk: EventChunk, hadronic: Mask, radius: float) -> tuple[Leptons, Mask]:
    """Prompt leptons with the prompt photons within `radius` in ΔR, each photon to its nearest lepton.

    Returns:
        The leptons, and (particles,) which particles are part of them.
    """
    size = np.abs(chunk.pid)
    prompt = (chunk.status == _FINAL) & ~hadronic
    lepton = np.flatnonzero(prompt & ((size == pdgcodes.ELECTRON) | (size == pdgcodes.MUON)))
    photon = np.flatnonzero(prompt & (chunk.pid == pdgcodes.PHOTON))
    momentum = chunk.momentum[:, lepton].copy()
    ours, theirs = same_event(chunk.event[lepton], chunk.event[photon], chunk.events)
    distance = delta_r(chunk.momentum[:, lepton[ours]], chunk.momentum[:, photon[theirs]])
    close = distance < radius
    ours, theirs, distance = ours[close], theirs[close], distance[close]
    nearest_first = np.lexsort((ours, distance, theirs))
    _, first = np.unique(theirs[nearest_first], return_index=True)
    chosen = nearest_first[first]
    for axis in range(4):
        np.add.at(momentum[axis], ours[chosen], chunk.momentum[axis, photon[theirs[chosen]]])
    used = np.zeros(len(chunk.pid), dtype=np.bool_)
    used[lepton] = True
    used[photon[theirs[chosen]]] = True
    event = chunk.event[lepton]
    order = np.lexsort((-np.hypot(momentum[0], momentum[1]), event))
    return (
        Leptons(
            event=event[order],
            rank=rank_in_event(event[order], chunk.events),
            pid=chunk.pid[lepton][order],
            momentum=momentum[:, order],
        ),
        used,
    )


def same_event(first: Integers, second: Integers, events: int) -> tuple[Integers, Integers]:
    """All pairs of the same event, of two lists of event indices that never fall; indices into each list."""
    counts = np.bincount(second, minlength=events)
    starts = np.concatenate([[0], np.cumsum(counts)])
    ours = np.repeat(np.arange(len(first)), counts[first])
    return ours, _ranges(starts[first], starts[first] + counts[first])


def rank_in_event(event: Integers, events: int) -> Integers:
    """Place of each entry among those of its event, of a list of event indices that never falls."""
    counts = np.bincount(event, minlength=events)
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    return np.arange(len(event)) - starts[event]


def delta_r(first: Floats, second: Floats) -> Floats:
    """ΔR in pseudorapidity and azimuth of momenta (4, n) and (4, n)."""
    turn = np.arctan2(first[1], first[0]) - np.arctan2(second[1], second[0])
    turn = np.abs(turn)
    turn = np.minimum(turn, 2 * np.pi - turn)
    return np.hypot(pseudorapidity(first) - pseudorapidity(second), turn)


def pseudorapidity(momentum: Floats) -> Floats:
    """η of momenta (4, n); large, not infinite, along the beam."""
    transverse = np.hypot(momentum[0], momentum[1])
    return np.arcsinh(momentum[2] / np.maximum(transverse, 1e-9))


def _ranges(starts: Integers, stops: Integers) -> Integers:
    """The integers of [start, stop) for each pair, one range after another."""
    lengths = stops - starts
    before = np.cumsum(lengths) - lengths
    return np.arange(lengths.sum()) - np.repeat(before - starts, lengths)
