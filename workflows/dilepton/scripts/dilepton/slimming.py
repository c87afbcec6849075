"""Which particles of a generated event are kept, and how they hang together.

Kept: beams, hard process (Pythia status 21 to 23), the resonance copies that decay, hadrons with a c or b
quark, hadrons and taus that a final charged lepton descends from, the hadron or tau that a final photon comes
from, all final neutrinos and charged leptons, and every other final particle within |η| < 5. That is enough
to know prompt leptons from others, to dress them, and for isolation, jets, flavour tags and missing momentum.

Every kept particle hangs from its nearest kept ancestor. What came out of a string, of the showers of quarks
and gluons, of multiple interactions or of the beam remnants hangs from the vertex that ends the outgoing
quarks and gluons of the hard process, or from that of the beams if there are none. Momentum is balanced at
the vertices of decays, not at those where particles were left out.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import awkward as ak
import numpy as np
from numpy.typing import NDArray

from dilepton import pdgcodes

DETECTABLE_PSEUDORAPIDITY = 5.0

_BEAM = 12
_INCOMING = 21
_RESONANCE = 22
_OUTGOING = 23
_FROM_STRING = (81, 89)
_FINAL = 1
_DECAYED = 2
_BEAM_STATUS = 4
_NOBODY = -1


@dataclass(frozen=True)
class SlimEvent:
    """One slimmed event, its particles parents first.

    Attributes:
        pid, status: (n,) PDG codes; HepMC status codes (1 final, 2 decayed, 4 beam, 21–62 as in Pythia).
        momentum: (4, n) px, py, pz, E in GeV.
        mass: (n,) GeV.
        parents: (n, 2) first and last parent, −1 for the beams.
    """

    pid: NDArray[np.int32]
    status: NDArray[np.int32]
    momentum: NDArray[np.float64]
    mass: NDArray[np.float64]
    parents: NDArray[np.int32]


def slim(records: ak.Array) -> Iterator[SlimEvent]:
    """Slim a batch of Pythia event records (the `prt` field of `Pythia.nextBatch`)."""
    counts = ak.to_numpy(ak.num(records))
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    flat = ak.flatten(records)
    batch = _Batch(
        pid=ak.to_numpy(flat.id),
        code=np.abs(ak.to_numpy(flat.status)),
        final=ak.to_numpy(flat.status) > 0,
        momentum=np.stack([ak.to_numpy(flat.p[axis]) for axis in ("px", "py", "pz", "e")]),
        mass=ak.to_numpy(flat.m),
        mother=_global_mothers(ak.to_numpy(flat.mother1), counts, starts),
    )
    keep = _kept(batch)
    parent = _nearest_kept(batch, keep)
    for start, count in zip(starts, counts, strict=True):
        yield _event(batch, keep, parent, slice(start, start + count))


@dataclass(frozen=True)
class _Batch:
    """Flat arrays over the particles of all events; `mother` points into them, −1 for none."""

    pid: NDArray[np.int32]
    code: NDArray[np.int32]
    final: NDArray[np.bool_]
    momentum: NDArray[np.float64]
    mass: NDArray[np.float64]
    mother: NDArray[np.int64]


def _global_mothers(
    mother: NDArray[np.int32], counts: NDArray[np.int64], starts: NDArray[np.int64]
) -> NDArray[np.int64]:
    return np.where(mother > 0, mother + np.repeat(starts, counts), _NOBODY)


def _kept(batch: _Batch) -> NDArray[np.bool_]:
    unstable = ~batch.final & (pdgcodes.is_hadron(batch.pid) | (np.abs(batch.pid) == pdgcodes.TAU))
    unstable &= batch.code != _BEAM
    lepton = batch.final & pdgcodes.is_charged_lepton(batch.pid)
    photon = batch.final & (batch.pid == pdgcodes.PHOTON)
    kept = np.isin(batch.code, (_BEAM, _INCOMING, _RESONANCE, _OUTGOING))
    kept |= lepton | (batch.final & (pdgcodes.is_neutrino(batch.pid) | _detectable(batch.momentum)))
    kept |= unstable & (pdgcodes.has_quark(batch.pid, 4) | pdgcodes.has_quark(batch.pid, 5))
    decayed = batch.mother[(batch.code == _OUTGOING) & (batch.mother != _NOBODY)]
    kept[decayed] |= batch.code[decayed] > _OUTGOING
    frontier = batch.mother[photon & kept]
    frontier = frontier[frontier != _NOBODY]
    kept[frontier[unstable[frontier]]] = True
    frontier = np.flatnonzero(lepton)
    while frontier.size:
        frontier = np.unique(batch.mother[frontier])
        frontier = frontier[frontier != _NOBODY]
        frontier = frontier[unstable[frontier]]
        kept[frontier] = True
    return kept


def _detectable(momentum: NDArray[np.float64]) -> NDArray[np.bool_]:
    return np.abs(momentum[2]) < np.hypot(momentum[0], momentum[1]) * np.sinh(DETECTABLE_PSEUDORAPIDITY)


def _nearest_kept(batch: _Batch, kept: NDArray[np.bool_]) -> NDArray[np.int64]:
    """(n,) index of the nearest kept ancestor, −1 where the way up leads through a string or to a parton."""
    rootless = (batch.code >= _FROM_STRING[0]) & (batch.code <= _FROM_STRING[1])
    parent = np.where(rootless, _NOBODY, batch.mother)
    climbing = np.flatnonzero(kept & (parent != _NOBODY))
    while climbing.size:
        climbing = climbing[~kept[parent[climbing]]]
        above = parent[climbing]
        parent[climbing] = np.where(rootless[above], _NOBODY, batch.mother[above])
        climbing = climbing[parent[climbing] != _NOBODY]
    ended = kept & (parent != _NOBODY)
    source = parent[ended]
    of_parton = pdgcodes.is_coloured(batch.pid[source]) | (batch.code[source] == _BEAM)
    parent[ended] = np.where(of_parton, _NOBODY, source)
    return parent


def _event(batch: _Batch, kept: NDArray[np.bool_], parent: NDArray[np.int64], window: slice) -> SlimEvent:
    index = np.flatnonzero(kept[window]) + window.start
    code, pid = batch.code[index], batch.pid[index]
    coloured = (code == _OUTGOING) & pdgcodes.is_coloured(pid)
    if coloured.any():
        # One vertex ends them all, and a HepMC reader wants the parents of a vertex side by side.
        rank = np.where(coloured, index[coloured].max(), index)
        order = np.lexsort((~coloured, rank))
        index, code, pid, coloured = index[order], code[order], pid[order], coloured[order]
    where = np.full(window.stop - window.start + 1, _NOBODY)
    where[index - window.start] = np.arange(index.size)
    hangs = parent[index] != _NOBODY
    first = np.full(index.size, _NOBODY)
    first[hangs] = where[parent[index[hangs]] - window.start]
    parents = np.stack([first, first], axis=1)
    beams = np.flatnonzero(code == _BEAM)
    incoming = np.flatnonzero(code == _INCOMING)
    ends = np.flatnonzero(coloured) if coloured.any() else beams
    parents[~hangs] = (ends[0], ends[-1])
    hard = (code == _RESONANCE) | (code == _OUTGOING)
    parents[hard & ~hangs] = (incoming[0], incoming[-1])
    parents[incoming] = (beams[0], beams[-1])
    parents[beams] = _NOBODY
    status = np.where(batch.final[index], _FINAL, np.where(pdgcodes.is_hadron(pid), _DECAYED, code))
    status = np.where(
        (np.abs(pid) == pdgcodes.TAU) & ~batch.final[index] & (code != _OUTGOING), _DECAYED, status
    )
    status[beams] = _BEAM_STATUS
    return SlimEvent(
        pid=pid,
        status=status.astype(np.int32),
        momentum=np.ascontiguousarray(batch.momentum[:, index]),
        mass=batch.mass[index],
        parents=parents.astype(np.int32),
    )
