"""Speed and memory of the dilepton analysis's programs, each beside the plainest way to do the same.

    python bench/analysis.py [--events 10000 100000]      # to 10⁶ if left out, a quarter of an hour

Prints a table: events a second, peak memory, and the ratio to the reference of the same row, measured in
the same run. Each figure is one process from its start to its end, so that start-up counts. The larger
files repeat the events of a small one: what grows is the number of events, which is what memory must not
follow.

References: for generation, Pythia without any output; for reduction, pyhepmc reading the same events and
doing nothing with them; for histogramming, uproot reading the whole file at once and one `hist` fill for
each variation.
"""

from __future__ import annotations

import argparse
import gzip
import os
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ANALYSIS = ROOT / "workflows/dilepton"
SCRIPTS = ANALYSIS / "scripts"
END = b"HepMC::Asciiv3-END_EVENT_LISTING"

PYTHIA = """
import pythia8mc, sys
pythia = pythia8mc.Pythia("", False)
for line in ("Beams:eCM = 13000", "NewGaugeBoson:ffbar2gmZZprime = on", "Zprime:gmZmode = 3", "32:m0 = 2000",
             "32:onMode = off", "32:onIfAny = 11 13", "Print:quiet = on", "PartonLevel:MPI = " + sys.argv[2]):
    pythia.readString(line)
pythia.init()
for _ in range(int(sys.argv[1])):
    pythia.next()
"""
PYHEPMC = """
import pyhepmc, sys
with pyhepmc.open(sys.argv[1]) as file:
    for event in file:
        event.numpy.particles.pid
"""
WHOLE_FILE = """
import hist, sys, uproot
arrays = uproot.open(sys.argv[1])["events"].arrays(library="np")
weights = [name for name in arrays if name.startswith(("weight", "efficiency_"))]
masses = [name for name in arrays if name.startswith("mll") and name != "mll_dressed"]
for channel in (121, 143, 169):
    chosen = arrays["channel"] == channel
    for edges in ([70, 80, 84, 87, 89, 91, 93, 95, 98, 110], [300, 350, 400, 600], [600, 800, 1200, 6000]):
        for mass, weight in [(mass, "weight") for mass in masses] + [("mll", weight) for weight in weights]:
            filled = hist.Hist(hist.axis.Variable(edges), storage=hist.storage.Weight())
            filled.fill(arrays[mass][chosen], weight=arrays[weight][chosen])
"""


@dataclass(frozen=True)
class Measured:
    """One process: wall time in seconds and peak resident memory in MB."""

    seconds: float
    megabytes: float


@dataclass(frozen=True)
class Row:
    """A step over a number of events, and its reference over the same, if that was measured."""

    step: str
    events: int
    ours: Measured
    reference: Measured | None


def measure(command: Sequence[str | Path]) -> Measured:
    """Run a command to its end.

    Raises:
        subprocess.CalledProcessError: it failed.
    """
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    started = time.perf_counter()
    process = subprocess.Popen([sys.executable, *command], env=environment, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, shlex.join(map(str, command)))
    return Measured(time.perf_counter() - started, usage.ru_maxrss / 1024)


def generated(folder: Path, events: int) -> Iterator[Row]:
    """Generation with and without multiple interactions; leaves `events.hepmc.gz` of the latter."""
    output = folder / "events.hepmc.gz"
    options = [
        "--process",
        "zprime",
        "--mass",
        "2000",
        "--events",
        str(events),
        "--seed",
        "1",
        "--output",
        output,
    ]
    for words, switch, extra in (
        ("all on", "on", []),
        ("no multiple interactions", "off", ["--no-multiple-interactions"]),
    ):
        ours = measure([SCRIPTS / "generate.py", *options, *extra])
        yield Row(f"generate Z′, {words}", events, ours, measure(["-c", PYTHIA, str(events), switch]))


def repeated(source: Path, events: int, times: int, target: Path) -> None:
    """Write a HepMC file with the events of another, many times over, as one gzip member each time."""
    text = gzip.decompress(source.read_bytes())
    start = text.index(b"\nE ") + 1
    stop = text.index(END)
    header = text[:start].replace(b"A events %d\n" % events, b"A events %d\n" % (events * times))
    body = gzip.compress(text[start:stop], compresslevel=1, mtime=0)
    with target.open("wb") as stream:
        stream.write(gzip.compress(header, mtime=0))
        for _ in range(times):
            stream.write(body)
        stream.write(gzip.compress(text[stop:], mtime=0))


def reduced(folder: Path, source_events: int, events: int, *, compared: bool) -> Row:
    """Reduction; leaves `ntuple.root`."""
    source, target = folder / "many.hepmc.gz", folder / "ntuple.root"
    repeated(folder / "events.hepmc.gz", source_events, events // source_events, source)
    options = [
        "--input",
        source,
        "--sample",
        "signal",
        "--detector",
        ANALYSIS / "detector.yaml",
        "--seed",
        "1",
    ]
    ours = measure([SCRIPTS / "reduce.py", *options, "--output", target])
    reference = measure(["-c", PYHEPMC, source]) if compared else None
    source.unlink()
    return Row("reduce", events, ours, reference)


def histogrammed(folder: Path, events: int) -> Row:
    """Histogramming of what reduction left."""
    source = folder / "ntuple.root"
    options = ["--input", source, "--regions", ANALYSIS / "regions.yaml", "--luminosity-ifb", "20"]
    ours = measure([SCRIPTS / "histogram.py", *options, "--output", folder / "histograms.root"])
    return Row("histogram", events, ours, measure(["-c", WHOLE_FILE, source]))


def main() -> None:
    """Measure and print, a row as soon as it is there."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--events", type=int, nargs="+", default=[10_000, 100_000, 1_000_000], help="of reduction on"
    )
    parser.add_argument(
        "--compared", type=int, default=100_000, help="most events for which reduction's reference runs too"
    )
    parser.add_argument("--generated", type=int, default=1_000, help="events of the generation rows")
    given = parser.parse_args()
    print(
        f"{'step':<38}{'events':>9}{'s':>9}{'events/s':>10}{'MB':>7}{'time ÷ ref.':>13}{'memory ÷ ref.':>15}"
    )
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for row in generated(folder, given.generated):
            show(row)
        for events in given.events:
            show(reduced(folder, given.generated, events, compared=events <= given.compared))
            show(histogrammed(folder, events))


def show(row: Row) -> None:
    """Print one row."""
    ours, reference = row.ours, row.reference
    time_ratio = f"{ours.seconds / reference.seconds:.2f}" if reference else "–"
    memory_ratio = f"{ours.megabytes / reference.megabytes:.2f}" if reference else "–"
    print(
        f"{row.step:<38}{row.events:>9}{ours.seconds:>9.1f}{row.events / ours.seconds:>10.0f}"
        f"{ours.megabytes:>7.0f}{time_ratio:>13}{memory_ratio:>15}",
        flush=True,
    )


if __name__ == "__main__":
    main()
