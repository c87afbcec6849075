"""Jets, their flavour tags, and their overlap with leptons."""

from dataclasses import dataclass

import awkward as ak
import fastjet
import numpy as np
import vector
from numpy.typing import NDArray

from dilepton import pdgcodes, truth
from dilepton.detector import Detector
from dilepton.hepmcreader import EventChunk
from dilepton.response import JETS_PER_EVENT, Chances
from dilepton.truth import Leptons

_INPUT_ABS_ETA = 5.0
_FINAL = 1
_BOTTOM, _CHARM = 5, 4

Mask = NDArray[np.bool_]

vector.register_awkward()
fastjet._swig.ClusterSequence.set_fastjet_banner_stream(None)


@dataclass(frozen=True)
class JetList:
    """Jets in flat arrays, sorted by event, then falling pT.

    Attributes:
        event: (jets,) index in the chunk.
        momentum: (4, jets) GeV.
        tagged: (jets,) whether it is taken for a b jet.
    """

    event: NDArray[np.int64]
    momentum: NDArray[np.float64]
    tagged: Mask

    def where(self, mask: Mask) -> "JetList":
        """Some of them."""
        return JetList(self.event[mask], self.momentum[:, mask], self.tagged[mask])


def visible(chunk: EventChunk) -> Mask:
    """(particles,) final particles that leave a signal within |η| < 5."""
    seen = (chunk.status == _FINAL) & ~pdgcodes.is_invisible(chunk.pid)
    transverse = np.hypot(chunk.momentum[0], chunk.momentum[1])
    return seen & (np.abs(chunk.momentum[2]) < transverse * np.sinh(_INPUT_ABS_ETA))


def find(chunk: EventChunk, chances: Chances, detector: Detector, wanted: Mask) -> JetList:
    """Cluster everything visible except muons.

    Args:
        wanted: (events,) the others get no jets.
    """
    settings = detector.jets
    used = visible(chunk) & (np.abs(chunk.pid) != pdgcodes.MUON) & wanted[chunk.event]
    index = np.flatnonzero(used)
    counts = np.bincount(chunk.event[index], minlength=chunk.events)
    clustered = _clustered(chunk.momentum[:, index], counts[counts > 0], settings.radius, settings.minimum_pt)
    events = np.repeat(np.flatnonzero(counts > 0), ak.to_numpy(ak.num(clustered)))
    flat = ak.flatten(clustered)
    momentum = np.stack([ak.to_numpy(flat[axis]) for axis in ("px", "py", "pz", "E")]).reshape(4, -1)
    order = np.lexsort((-np.hypot(momentum[0], momentum[1]), events))
    events, momentum = events[order], momentum[:, order]
    inside = np.abs(truth.pseudorapidity(momentum)) < settings.maximum_abs_eta
    events, momentum = events[inside], momentum[:, inside]
    return JetList(events, momentum, _tagged(chunk, chances, detector, events, momentum))


def _clustered(
    momentum: NDArray[np.float64], counts: NDArray[np.int64], radius: float, minimum_pt: float
) -> ak.Array:
    axes = dict(zip(("px", "py", "pz", "E"), momentum, strict=True))
    inputs = ak.unflatten(ak.zip(axes, with_name="Momentum4D"), counts)
    if not len(counts):
        return inputs
    definition = fastjet.JetDefinition(fastjet.antikt_algorithm, radius)
    return fastjet.ClusterSequence(inputs, definition).inclusive_jets(minimum_pt)


def _tagged(
    chunk: EventChunk,
    chances: Chances,
    detector: Detector,
    events: NDArray[np.int64],
    momentum: NDArray[np.float64],
) -> Mask:
    settings = detector.jets
    efficiency = np.full(len(events), settings.efficiency_light)
    for flavour, value in ((_CHARM, settings.efficiency_c), (_BOTTOM, settings.efficiency_b)):
        transverse = np.hypot(chunk.momentum[0], chunk.momentum[1])
        hadron = np.flatnonzero(
            pdgcodes.has_quark(chunk.pid, flavour) & (transverse > settings.minimum_hadron_pt)
        )
        ours, theirs = truth.same_event(events, chunk.event[hadron], chunk.events)
        distance = truth.delta_r(momentum[:, ours], chunk.momentum[:, hadron[theirs]])
        efficiency[ours[distance < settings.matching_radius]] = value
    rank = truth.rank_in_event(events, chunk.events)
    chance = chances.jet[events, np.minimum(rank, JETS_PER_EVENT - 1)]
    inside = np.abs(truth.pseudorapidity(momentum)) < settings.tag_maximum_abs_eta
    return (chance < efficiency) & inside & (rank < JETS_PER_EVENT)


def remove_overlap(
    jets: JetList, leptons: Leptons, selected: Mask, detector: Detector, events: int
) -> tuple[JetList, Mask]:
    """Take out jets that are leptons, then leptons that are in jets.

    Args:
        selected: (leptons,) those that count.

    Returns:
        The jets left, and (leptons,) which of the selected leptons are left.
    """
    chosen = np.flatnonzero(selected)
    ours, theirs = truth.same_event(jets.event, leptons.event[chosen], events)
    distance = truth.delta_r(jets.momentum[:, ours], leptons.momentum[:, chosen[theirs]])
    is_jet = np.ones(len(jets.event), dtype=np.bool_)
    is_jet[ours[distance < detector.jet_around_lepton]] = False
    left = selected.copy()
    left[chosen[theirs[(distance < detector.lepton_in_jet) & is_jet[ours]]]] = False
    return jets.where(is_jet), left
