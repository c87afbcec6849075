"""The fit: workspace, background-only fit, discovery, CLs and upper limits, with plots and a table."""

import gc
import os

# Threads only slow down matrices this small; numpy reads these when it is first imported.
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"
# Most objects live as long as this program: looking for those that do not takes a tenth of its time.
gc.set_threshold(100_000, 50, 1000)

import sys  # noqa: E402
from pathlib import Path  # noqa: E402

from dilepton import (  # noqa: E402
    arguments,
    atomic,
    histogramfile,
    inference,
    program,
    regions,
    report,
    templates,
    workspace,
)


def main() -> None:
    """Read the command line, fit, write."""
    given = _parser().parse_args()
    analysis = regions.read(given.regions)
    luminosity = given.luminosity_ifb
    data = histogramfile.read_data(given.data, analysis, luminosity)
    signal = [histogramfile.read_sample(path, analysis, luminosity) for path in given.signal]
    background = [histogramfile.read_sample(path, analysis, luminosity) for path in given.background]
    summed = templates.build(analysis, signal, background)
    built = workspace.build(analysis, summed, data.counts)
    for warning in (*summed.warnings, *built.warnings):
        print(f"warning: {warning}", file=sys.stderr)
    statistical = inference.Statistical.of(built.fitted)
    found = inference.infer(statistical, analysis.fit)
    predictions = inference.predict(built.everywhere, found.background, statistical, analysis.signal.name)
    inputs = report.Inputs(luminosity, tuple(signal), tuple(background), data)
    notes = report.Notes((*summed.warnings, *built.warnings), built.pruned)
    result = report.result(analysis, inputs, found, predictions, notes)
    with (
        atomic.folder(given.plots) as plot_folder,
        atomic.output(given.workspace) as workspace_path,
        atomic.output(given.result) as result_path,
        atomic.output(given.table or given.result.with_suffix(".txt")) as table_path,
    ):
        from dilepton import plots  # noqa: PLC0415 (loads matplotlib, which a refused input need not wait for)

        formats = tuple(given.plot_formats or analysis.plots.formats)
        plots.draw_all(plot_folder, analysis, formats, inputs, found, predictions=predictions)
        report.write_json(workspace_path, built.fitted)
        report.write_json(result_path, result)
        table_path.write_text(report.table(analysis, inputs, found, predictions), "utf-8")


def _parser() -> arguments.Parser:
    parser = arguments.Parser(__doc__)
    histograms = "histograms of histogram.py"
    parser.add_argument(
        "--signal", type=Path, nargs="+", action="extend", required=True, help=f"{histograms}, of the signal"
    )
    parser.add_argument(
        "--background",
        type=Path,
        nargs="+",
        action="extend",
        required=True,
        help=f"{histograms}; again for each further one",
    )
    parser.add_argument("--data", type=Path, required=True, help="data.root of pseudodata.py")
    parser.add_argument("--regions", type=Path, required=True, help="regions.yaml")
    parser.add_argument(
        "--luminosity-ifb",
        type=arguments.positive,
        required=True,
        help="integrated luminosity, fb⁻¹; that of the histograms and of the data",
    )
    parser.add_argument(
        "--workspace", type=Path, required=True, help="output: HistFactory workspace, pyhf's JSON"
    )
    parser.add_argument("--result", type=Path, required=True, help="output: result.json")
    parser.add_argument("--plots", type=Path, required=True, help="output: folder of plots")
    parser.add_argument(
        "--plot-formats",
        nargs="+",
        choices=("png", "pdf"),
        help="in place of those of regions.yaml; drawing takes most of this program's time",
    )
    parser.add_argument(
        "--table", type=Path, help="output: limits as text (default: the result's name with .txt)"
    )
    return parser


if __name__ == "__main__":
    program.run(main)
