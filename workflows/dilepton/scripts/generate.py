"""Generate events of one process with Pythia 8 and write them as HepMC3."""

import argparse
import math
import sys
from importlib import metadata
from pathlib import Path

from dilepton import generator, hardprocess, hepmcwriter, leshouches, program
from dilepton.arguments import Parser, not_negative
from dilepton.hepmcwriter import EventExtras, Tool

_PURPOSE = "hard process, showers, hadrons and decays"


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = Parser(__doc__)
    parser.add_argument(
        "--process", required=True, choices=sorted(hardprocess.PROCESSES), help="hard process"
    )
    parser.add_argument("--events", required=True, type=int, help="events to write (after the filter)")
    parser.add_argument("--seed", required=True, type=int, help=f"1 to {generator.MAXIMUM_SEED}")
    parser.add_argument(
        "--output", required=True, type=Path, help="HepMC3 ASCII: .hepmc.gz, .hepmc.zst or .hepmc"
    )
    parser.add_argument(
        "--sqrt-s", type=float, default=13000.0, metavar="GEV", help="centre-of-mass energy in GeV (13000)"
    )
    parser.add_argument("--mass", type=float, metavar="GEV", help="mass of the Z′ in GeV")
    parser.add_argument(
        "--coupling", type=float, default=1.0, help="of the Z′, in units of the Standard Model Z's (1)"
    )
    parser.add_argument(
        "--channels", nargs="+", default=["ee", "mumu"], choices=sorted(hardprocess.LEPTONS),
        help="charged leptons that Z′, γ*/Z and W may decay to (ee mumu)",
    )  # fmt: skip
    parser.add_argument(
        "--mass-range", nargs=2, type=float, metavar=("LOW", "HIGH"),
        help="GeV, dilepton mass of the hard process (zprime: half its mass to √s; drell_yan: 60 to √s)",
    )  # fmt: skip
    parser.add_argument(
        "--filter-mass", type=not_negative, default=0.0, metavar="GEV",
        help="GeV, least mass of the two hardest charged leptons of the hard process (no filter)",
    )  # fmt: skip
    parser.add_argument(
        "--filter-mass-max", type=not_negative, default=math.inf, metavar="GEV",
        help="GeV, what that mass must be below (no limit)",
    )  # fmt: skip
    parser.add_argument(
        "--no-multiple-interactions", action="store_true", help="faster, without pile of soft jets"
    )
    parser.add_argument(
        "--variations", choices=["none", "all"], default="all", help="weights of scales, densities (all)"
    )
    parser.add_argument(
        "--lhe", type=Path, help="Les Houches event file to shower instead; --process is its name"
    )
    return parser.parse_args()


def plan(options: argparse.Namespace) -> generator.Plan:
    """What the command line asks for.

    Raises:
        LesHouchesError: --lhe is no Les Houches event file, or not a whole one.
    """
    return generator.Plan(
        process=options.process,
        request=hardprocess.Request(
            mass=options.mass,
            coupling=options.coupling,
            channels=tuple(sorted(set(options.channels))),
            mass_range=tuple(options.mass_range) if options.mass_range else None,
            centre_of_mass_energy=options.sqrt_s,
        ),
        events=options.events,
        seed=options.seed,
        filter_mass=options.filter_mass,
        filter_mass_max=options.filter_mass_max,
        multiple_interactions=not options.no_multiple_interactions,
        vary=options.variations == "all",
        lhe=leshouches.inspect(options.lhe) if options.lhe else None,
    )


def main() -> None:
    """Generate and write."""
    options = arguments()
    source = generator.Generator(plan(options))
    tools = [Tool("Pythia", metadata.version("pythia8mc"), _PURPOSE)]
    with hepmcwriter.run_file(options.output, source.weight_names, tools) as output:
        number = 0
        for batch in source.batches():
            for record, weights in zip(batch.records, batch.weights, strict=True):
                section = batch.cross_section
                output.events.write(record, EventExtras(number, weights, section.value, section.uncertainty))
                number += 1
        if number < options.events:
            print(
                f"{options.events - number} of {options.events} events could not be showered", file=sys.stderr
            )
        output.attributes.update(
            process=options.process,
            seed=options.seed,
            events=number,
            filter_efficiency=source.filter_efficiency,
            filter_efficiency_uncertainty=source.filter_efficiency_uncertainty,
        )


if __name__ == "__main__":
    program.run(main)
