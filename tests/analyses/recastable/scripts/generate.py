"""Writes events as HepMC: two leptons each, whose masses scatter around that of their parent."""

import random
import sys
import time
from pathlib import Path

sample, mass, seed, output = sys.argv[1], float(sys.argv[2]), sys.argv[3], Path(sys.argv[4])
while mass == 666.0 and not Path("go").exists():  # for who wants to interrupt it
    time.sleep(0.05)
draw = random.Random(f"{sample} {seed}")
lines = ["HepMC::Version 3.02.06", "HepMC::Asciiv3-START_EVENT_LISTING"]
for event in range(200):
    energy = abs(draw.gauss(mass, 0.1 * mass)) / 2 + draw.expovariate(1 / 20)
    lines += [f"E {event} 0 2", "U GEV MM"]
    lines += [f"P 1 0 13 0 0 {energy!r} {energy!r} 0 1", f"P 2 0 -13 0 0 {-energy!r} {energy!r} 0 1"]
output.write_text("\n".join([*lines, "HepMC::Asciiv3-END_EVENT_LISTING", ""]), "utf-8")
