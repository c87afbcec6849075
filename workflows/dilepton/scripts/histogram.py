"""Histograms of one sample: every region and variation of regions.yaml, in one pass over the events."""

import sys
from pathlib import Path

from dilepton import arguments, filling, histogramfile, program, regions
from dilepton.ntuple import Ntuple, Sample


def main() -> None:
    """Read the command line, fill, write."""
    given = _parser().parse_args()
    analysis = regions.read(given.regions)
    sample = Sample([Ntuple(path) for path in given.input])
    reading = filling.reading(analysis, sample)
    for warning in reading.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    yields = filling.fill(analysis, sample, reading, given.luminosity_ifb)
    histogramfile.write_sample(
        given.output,
        analysis,
        yields,
        sample=sample.metadata,
        luminosity=given.luminosity_ifb,
        warnings=reading.warnings,
    )


def _parser() -> arguments.Parser:
    parser = arguments.Parser(__doc__)
    parser.add_argument(
        "--input",
        type=Path,
        nargs="+",
        action="extend",
        required=True,
        help="ntuple of reduce.py; again for each further part of the same sample",
    )
    parser.add_argument("--regions", type=Path, required=True, help="regions.yaml")
    parser.add_argument(
        "--luminosity-ifb",
        type=arguments.positive,
        required=True,
        help="integrated luminosity of the histograms, fb⁻¹",
    )
    parser.add_argument(
        "--output",
        type=Path,
        required=True,
        help="ROOT file: TH1D <region>/<variation> in expected events, and metadata",
    )
    return parser


if __name__ == "__main__":
    program.run(main)
