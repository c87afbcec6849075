"""Reduce generated events (HepMC) to a flat ROOT ntuple of measured lepton pairs."""

import argparse
import os
from pathlib import Path

from dilepton import detector, program, reduction
from dilepton.arguments import Parser, seed


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = Parser(__doc__)
    parser.add_argument(
        "--input",
        required=True,
        type=Path,
        help="HepMC3 or HepMC2 ASCII, plain or compressed by gzip or zstd",
    )
    parser.add_argument("--sample", required=True, help="name of the sample")
    parser.add_argument("--detector", required=True, type=Path, help="response of the detector (YAML)")
    parser.add_argument("--seed", required=True, type=seed, help="of the detector's smearing, 0 or more")
    parser.add_argument("--output", required=True, type=Path, help="ROOT file")
    known = parser.add_argument_group("what is known better than the file says it")
    known.add_argument("--cross-section-pb", type=float, metavar="PB", help="before the filter, in pb")
    known.add_argument("--cross-section-uncertainty-pb", type=float, metavar="PB", help="in pb")
    known.add_argument("--k-factor", type=float, metavar="K", help="on the cross-section (1)")
    known.add_argument("--filter-efficiency", type=float, metavar="E", help="of the generator filter, 0 to 1")
    known.add_argument("--sum-of-weights", type=float, metavar="W", help="of all events, if this is a part")
    known.add_argument(
        "--luminosity-ifb", type=float, metavar="L", help="that the sample itself is worth, in fb⁻¹"
    )
    return parser.parse_args()


def main() -> None:
    """Reduce one file."""
    options = arguments()
    # HepMC's reader prints counts of what is missing; this program says so itself.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    reduction.reduce(
        source=options.input,
        sample=options.sample,
        detector=detector.load(options.detector),
        seed=options.seed,
        output=options.output,
        overrides=reduction.Overrides(
            cross_section_pb=options.cross_section_pb,
            cross_section_uncertainty_pb=options.cross_section_uncertainty_pb,
            k_factor=options.k_factor,
            filter_efficiency=options.filter_efficiency,
            sum_of_weights=options.sum_of_weights,
            luminosity_ifb=options.luminosity_ifb,
        ),
    )


if __name__ == "__main__":
    program.run(main)
