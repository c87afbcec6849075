"""Selects events with two leptons and writes their masses, one a line, in GeV."""

import sys
from pathlib import Path

from kinematics import pair_mass

events, leptons = [], []
for line in [*Path(sys.argv[1]).read_text("utf-8").splitlines(), "E"]:
    if line.startswith("E") and leptons:
        events.append(pair_mass(leptons))
        leptons = []
    if line.startswith("P "):
        leptons.append(float(line.split()[7]))
Path(sys.argv[2]).write_text("".join(f"{mass!r}\n" for mass in events), "utf-8")
