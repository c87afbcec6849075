"""A pseudo-dataset of a given luminosity, drawn event by event from simulated samples."""

import sys
from pathlib import Path

from dilepton import arguments, histogramfile, ntuple, observed, program, regions
from dilepton.histogramfile import DataMetadata


def main() -> None:
    """Read the command line, draw, write."""
    given = _parser().parse_args()
    analysis = regions.read(given.regions)
    luminosity, seed = given.luminosity_ifb, given.seed
    backgrounds = ntuple.samples(given.input)
    signals = ntuple.samples(given.signal) if given.signal_strength else []
    drawn = [observed.draw(analysis, sample, luminosity, seed) for sample in backgrounds]
    drawn += [observed.draw(analysis, sample, luminosity, seed, given.signal_strength) for sample in signals]
    total = observed.total(analysis, drawn)
    for name, probability in total.largest_probability.items():
        if probability > 1:
            print(
                f"warning: region '{name}': the largest expectation of one simulated event is "
                f"{probability:.3g}, above 1: its counts fluctuate more than data would; simulate more "
                "events, lower the luminosity or raise the region's prescale",
                file=sys.stderr,
            )
    about = DataMetadata(
        seed,
        luminosity,
        given.signal_strength,
        tuple(sorted({s.metadata.sample for s in (*backgrounds, *signals)})),
        total.largest_probability,
    )
    histogramfile.write_data(given.output, analysis, total.counts, about)


def _parser() -> arguments.Parser:
    parser = arguments.Parser(__doc__)
    parser.add_argument(
        "--input",
        type=Path,
        nargs="+",
        action="extend",
        required=True,
        help="background ntuple of reduce.py",
    )
    parser.add_argument(
        "--signal", type=Path, nargs="+", action="extend", default=[], help="signal ntuple of reduce.py"
    )
    parser.add_argument(
        "--signal-strength",
        type=arguments.not_negative,
        default=0.0,
        help="injected signal over its predicted cross-section (default 0: none)",
    )
    parser.add_argument("--regions", type=Path, required=True, help="regions.yaml")
    parser.add_argument(
        "--luminosity-ifb", type=arguments.positive, required=True, help="integrated luminosity, fb⁻¹"
    )
    parser.add_argument(
        "--seed", type=arguments.seed, required=True, help="seed of the random numbers, 0 or more"
    )
    parser.add_argument(
        "--output", type=Path, required=True, help="ROOT file: TH1D <region>/observed, and metadata"
    )
    return parser


if __name__ == "__main__":
    program.run(main)
