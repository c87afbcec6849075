"""Questions about particles that their Monte Carlo number answers, for whole arrays.

Source: Monte Carlo particle numbering scheme of the Review of Particle Physics; the digits of a number are
±n nr nL nq1 nq2 nq3 nJ.
"""

import numpy as np
from numpy.typing import NDArray

Codes = NDArray[np.int32]
Mask = NDArray[np.bool_]

ELECTRON = 11
MUON = 13
TAU = 15
PHOTON = 22
_K_LONG, _K_SHORT = 130, 310


def is_hadron(codes: Codes) -> Mask:
    """Mesons and baryons; not diquarks, nuclei or particles beyond the Standard Model."""
    size = np.abs(codes)
    by_digits = (
        (size > 100) & (size < 1_000_000) & (size % 10 > 0) & (size // 10 % 10 > 0) & (size // 100 % 10 > 0)
    )
    excited = (size > 9_000_000) & (size < 9_999_999) & (size // 10 % 10 > 0) & (size // 100 % 10 > 0)
    return by_digits | excited | (size == _K_LONG) | (size == _K_SHORT)


def has_quark(codes: Codes, flavour: int) -> Mask:
    """Hadrons whose heaviest quark is of this flavour (4 charm, 5 bottom)."""
    size = np.abs(codes)
    heaviest = np.where(size // 1000 % 10 > 0, size // 1000 % 10, size // 100 % 10)
    return is_hadron(codes) & (heaviest == flavour)


def is_coloured(codes: Codes) -> Mask:
    """Quarks lighter than the top, and gluons."""
    size = np.abs(codes)
    return ((size >= 1) & (size <= 5)) | (size == 21)


def is_charged_lepton(codes: Codes) -> Mask:
    """Electrons, muons and taus."""
    size = np.abs(codes)
    return (size == ELECTRON) | (size == MUON) | (size == TAU)


def is_neutrino(codes: Codes) -> Mask:
    """Neutrinos of the three flavours."""
    size = np.abs(codes)
    return (size == 12) | (size == 14) | (size == 16)


def is_invisible(codes: Codes) -> Mask:
    """What leaves no trace in a detector: neutrinos, and the lightest of what supersymmetry or a
    dark sector would add (neutralinos, sneutrinos, gravitino, dark-matter codes 51 to 60)."""
    size = np.abs(codes)
    exotic = np.isin(size, (1000012, 1000014, 1000016, 1000022, 1000039)) | ((size >= 51) & (size <= 60))
    return is_neutrino(codes) | exotic


def is_electrically_charged(codes: Codes) -> Mask:
    """Charged leptons and charged hadrons."""
    size = np.abs(codes)
    quark1, quark2, quark3 = size // 1000 % 10, size // 100 % 10, size // 10 % 10
    up1, up2, up3 = quark1 % 2 == 0, quark2 % 2 == 0, quark3 % 2 == 0
    thirds = np.where(
        quark1 > 0,
        np.where(up1, 2, -1) + np.where(up2, 2, -1) + np.where(up3, 2, -1),
        np.where(up2, 2, -1) - np.where(up3, 2, -1),
    )
    return is_charged_lepton(codes) | (is_hadron(codes) & (thirds != 0))
