"""HepMC3 ASCII files written by hand, particle by particle, for events whose answers are known."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

ELECTRON, MUON, PHOTON, PION, NEUTRINO = 11, 13, 22, 211, 12
B_MESON, Z_BOSON = 511, 23
MASSES = {ELECTRON: 0.000511, MUON: 0.10566, PION: 0.13957, B_MESON: 5.27965}


@dataclass(frozen=True)
class Particle:
    """One particle: GeV; what it decays into, final if nothing."""

    pid: int
    pt: float
    eta: float
    phi: float
    children: Sequence["Particle"] = ()


@dataclass(frozen=True)
class Event:
    """One event: particles that come out of the collision, and its weights."""

    particles: Sequence[Particle]
    weights: Sequence[float] = (1.0,)


@dataclass(frozen=True)
class Sample:
    """A whole file."""

    events: Sequence[Event]
    weight_names: Sequence[str] = ("nominal",)
    cross_section: str | None = "2.5 0.25"
    attributes: dict[str, str] = field(default_factory=dict)


def write_events(path: Path, sample: Sample) -> Path:
    """Write a sample as HepMC3 ASCII."""
    names = "\\|".join(sample.weight_names)
    lines = ["HepMC::Version 3.02.05", "HepMC::Asciiv3-START_EVENT_LISTING", f"W {names}"]
    lines += [f"A {name} {value}" for name, value in sample.attributes.items()]
    for number, event in enumerate(sample.events):
        lines += _event_lines(number, event, sample.cross_section)
    lines.append("HepMC::Asciiv3-END_EVENT_LISTING")
    path.write_text("\n".join(lines) + "\n\n")
    return path


def _event_lines(number: int, event: Event, cross_section: str | None) -> list[str]:
    records = [
        "P 1 0 2212 0 0 6500 6500 0.93827 4",
        "P 2 0 2212 0 0 -6500 6500 0.93827 4",
        "V -1 0 [1,2]",
    ]
    particles = 2

    def add(particle: Particle, mother: int) -> None:
        nonlocal particles
        particles += 1
        me = particles
        mass = MASSES.get(abs(particle.pid), 0.0)
        px, py = particle.pt * math.cos(particle.phi), particle.pt * math.sin(particle.phi)
        pz = particle.pt * math.sinh(particle.eta)
        energy = math.sqrt(px**2 + py**2 + pz**2 + mass**2)
        status = 2 if particle.children else 1
        numbers = " ".join(f"{value:.10e}" for value in (px, py, pz, energy, mass))
        records.append(f"P {me} {mother} {particle.pid} {numbers} {status}")
        for child in particle.children:
            add(child, me)

    for particle in event.particles:
        add(particle, -1)
    decayed = sum(1 for particle in _all(event.particles) if particle.children)
    head = [
        f"E {number} {1 + decayed} {particles}",
        "U GEV MM",
        "W " + " ".join(f"{weight:.17e}" for weight in event.weights),
    ]
    if cross_section is not None:
        head.append(f"A 0 GenCrossSection {cross_section} -1 -1")
    return head + records


def _all(particles: Sequence[Particle]) -> list[Particle]:
    return [found for particle in particles for found in (particle, *_all(particle.children))]
