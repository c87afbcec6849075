"""Les Houches event files written by hand: u ū → Z → ℓℓ, weighted, some weights negative."""

import math
from pathlib import Path

import numpy as np

_HEAD = """<LesHouchesEvents version="3.0">
<header>
<initrwgt>
<weightgroup name="scales">
<weight id="scale up"> muF=2 </weight>
<weight id="1002"> muF=0.5 </weight>
</weightgroup>
</initrwgt>
</header>
<init>
2212 2212 6500 6500 0 0 247000 247000 -4 1
10.0 0.5 10.0 1
</init>
"""
_PARTICLE = "{} {} {} {} {} {} {:.10e} {:.10e} {:.10e} {:.10e} {:.10e} 0. 9.\n"


def write_leshouches(path: Path, events: int, seed: int = 1) -> list[float]:
    """Write a file; gives the nominal weight (pb) of each event. The others are 1.1 and 0.9 times that."""
    chance = np.random.default_rng(seed)
    text, weights = _HEAD, []
    for number in range(events):
        mass, y = chance.normal(91.19, 1.2), chance.uniform(-1.5, 1.5)
        cosine, phi = chance.uniform(-1, 1), chance.uniform(0, 2 * math.pi)
        weight = 10.0 if number % 4 else -10.0
        energies = 0.5 * mass * math.exp(y), 0.5 * mass * math.exp(-y)
        lepton = 11 if number % 2 else 13
        sine = math.sqrt(1 - cosine**2)
        direction = np.array([sine * math.cos(phi), sine * math.sin(phi), cosine])
        text += f"<event>\n5 1 {weight:.8e} {mass:.8e} 7.5e-03 1.18e-01\n"
        text += _PARTICLE.format(2, -1, 0, 0, 501, 0, 0, 0, energies[0], energies[0], 0)
        text += _PARTICLE.format(-2, -1, 0, 0, 0, 501, 0, 0, -energies[1], energies[1], 0)
        text += _PARTICLE.format(23, 2, 1, 2, 0, 0, 0, 0, energies[0] - energies[1], sum(energies), mass)
        for pid, sign in ((lepton, 1), (-lepton, -1)):
            px, py, pz = 0.5 * mass * sign * direction
            boosted = (
                math.cosh(y) * pz + math.sinh(y) * 0.5 * mass,
                math.cosh(y) * 0.5 * mass + math.sinh(y) * pz,
            )
            text += _PARTICLE.format(pid, 1, 3, 3, 0, 0, px, py, *boosted, 0)
        text += f'<rwgt>\n<wgt id="scale up"> {1.1 * weight:.8e} </wgt>\n'
        text += f'<wgt id="1002"> {0.9 * weight:.8e} </wgt>\n</rwgt>\n</event>\n'
        weights.append(weight)
    path.write_text(text + "</LesHouchesEvents>\n")
    return weights
