"""Small files of every kind: `write(path, values)` writes the same content however often it is called."""

import gzip
import json
import os
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import h5py
import hist
import matplotlib as mpl
import numpy as np
import uproot
import yaml
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image
from PIL.PngImagePlugin import PngInfo

Values = Sequence[float]
Write = Callable[[Path, Values], None]


@dataclass(frozen=True)
class Sample:
    """A kind of file: how it is written, and written otherwise with the same content."""

    name: str
    write: Write
    otherwise: Write
    movable: bool = False
    """Whether an order of its own doesn't count."""
    tolerant: bool = True
    """Whether the values stand in it as numbers."""


def json_plain(path: Path, values: Values) -> None:
    path.write_text(json.dumps({"fit": {"mu": list(values)}, "name": "x"}))


def json_spaced(path: Path, values: Values) -> None:
    path.write_text(json.dumps({"name": "x", "fit": {"mu": list(values)}}, indent=4))


def yaml_block(path: Path, values: Values) -> None:
    path.write_text(yaml.safe_dump({"mu": list(values)}, default_flow_style=False))


def yaml_flow(path: Path, values: Values) -> None:
    path.write_text("# by hand\n" + yaml.safe_dump({"mu": list(values)}, default_flow_style=True))


def csv_short(path: Path, values: Values) -> None:
    path.write_text("index,pt\n" + "".join(f"{i // 10},{value!r}\n" for i, value in enumerate(values)))


def csv_long(path: Path, values: Values) -> None:
    path.write_text(
        "index, pt\r\n" + "".join(f"{i // 10}.0, {value:.17e}\r\n" for i, value in enumerate(values))
    )


def hepmc(path: Path, values: Values) -> None:
    _hepmc(path, values, "3.02.06", "{:.16e}")


def hepmc_later(path: Path, values: Values) -> None:
    _hepmc(path, values, "3.03.00", "{!r}")


def _hepmc(path: Path, values: Values, version: str, form: str) -> None:
    events = "".join(
        f"E {number} 1 2\nU GEV MM\nP 1 0 2212 {form.format(value)} 0 0 0 0 4\n"
        for number, value in enumerate(values)
    )
    path.write_text(
        f"HepMC::Version {version}\nHepMC::Asciiv3-START_EVENT_LISTING\nW 1\n"
        f"{events}HepMC::Asciiv3-END_EVENT_LISTING\n"
    )


def yoda(path: Path, values: Values) -> None:
    _yoda(path, values, "{:.17e}")


def yoda_short(path: Path, values: Values) -> None:
    _yoda(path, values, "{!r}")


def _yoda(path: Path, values: Values, form: str) -> None:
    rows = "".join(
        "\t".join(form.format(float(x)) for x in (i, i + 1, value, value, value * i, value * i * i, 3)) + "\n"
        for i, value in enumerate(values)
    )
    path.write_text(
        "BEGIN YODA_HISTO1D_V2 /analysis/mll\nPath: /analysis/mll\nType: Histo1D\n---\n"
        f"# xlow\txhigh\tsumw\tsumw2\tsumwx\tsumwx2\tnumEntries\n{rows}END YODA_HISTO1D_V2\n"
    )


def npz_plain(path: Path, values: Values) -> None:
    with path.open("wb") as stream:
        np.savez(stream, pt=np.array(values))


def npz_packed(path: Path, values: Values) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        member = BytesIO()
        np.save(member, np.array(values))
        archive.writestr(zipfile.ZipInfo("pt.npy", (2001, 2, 3, 4, 5, 6)), member.getvalue())


def npy_little(path: Path, values: Values) -> None:
    with path.open("wb") as stream:
        np.save(stream, np.array(values, dtype="<f8"))


def npy_big(path: Path, values: Values) -> None:
    with path.open("wb") as stream:
        np.save(stream, np.array(values, dtype=">f8"))


def hdf5_plain(path: Path, values: Values) -> None:
    with h5py.File(path, "w") as file:
        file["events/pt"] = np.array(values)
        file["events"].attrs["unit"] = "GeV"


def hdf5_packed(path: Path, values: Values) -> None:
    with h5py.File(path, "w", track_order=True) as file:
        group = file.create_group("events", track_order=True)
        group.attrs["unit"] = "GeV"
        group.create_dataset("pt", data=np.array(values), chunks=(3,), compression="gzip", track_times=True)


def tree_one_basket(path: Path, values: Values) -> None:
    with uproot.recreate(path) as file:
        file.mktree("events", _columns(values))


def tree_two_baskets(path: Path, values: Values) -> None:
    columns = _columns(values)
    half = len(values) // 2
    with uproot.recreate(path, compression=uproot.LZMA(9)) as file:
        tree = file.mktree("events", {name: column[:half] for name, column in columns.items()})
        tree.extend({name: column[half:] for name, column in columns.items()})


def _columns(values: Values) -> dict[str, "np.ndarray"]:
    array = np.array(values)
    return {"pt": array, "id": (array > 0).astype(np.int32), "matrix": np.stack([array, array], axis=1)}


def ntuple(path: Path, values: Values) -> None:
    with uproot.recreate(path) as file:
        file.mkrntuple("events", {"pt": np.array(values)})


def ntuple_packed(path: Path, values: Values) -> None:
    with uproot.recreate(path, compression=uproot.ZSTD(9)) as file:
        file.mkrntuple("events", {"pt": np.array(values)})


def histogram(path: Path, values: Values) -> None:
    with uproot.recreate(path) as file:
        file["region/mll"] = _filled(values)
        file["title"] = "made by hand"


def histogram_packed(path: Path, values: Values) -> None:
    with uproot.recreate(path, compression=uproot.ZLIB(9)) as file:
        file["title"] = "made by hand"
        file["region/mll"] = _filled(values)


def _filled(values: Values) -> hist.Hist:
    made = hist.Hist.new.Reg(len(values), 0, len(values), name="mll").Weight()
    made.view().value[:] = values
    made.view().variance[:] = np.abs(values)
    return made


def png(path: Path, values: Values) -> None:
    _png(path, values, "Today", 1)


def png_later(path: Path, values: Values) -> None:
    _png(path, values, "Tomorrow", 9)


def _png(path: Path, values: Values, date: str, level: int) -> None:
    pixels = (np.outer(np.array(values), np.ones(8)) % 251).astype(np.uint8)
    texts = PngInfo()
    texts.add_text("Creation Time", date)
    texts.add_text("Title", "mll")
    Image.fromarray(pixels).save(path, format="PNG", pnginfo=texts, compress_level=level)


def _plot(path: Path, values: Values, form: str, metadata: dict[str, object]) -> None:
    figure = Figure((3, 2))
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.plot(values, marker="o")
    axes.set_xlabel("mll")
    figure.savefig(path, format=form, metadata=metadata)


def pdf(path: Path, values: Values) -> None:
    _plot(path, values, "pdf", {"Creator": "one"})


def pdf_later(path: Path, values: Values) -> None:
    os.environ["SOURCE_DATE_EPOCH"] = "86400"
    try:
        with mpl.rc_context({"pdf.compression": 1}):
            _plot(path, values, "pdf", {"Creator": "another program (with brackets)"})
    finally:
        del os.environ["SOURCE_DATE_EPOCH"]


def svg(path: Path, values: Values) -> None:
    _plot(path, values, "svg", {})


def packed(write: Write, level: int, mtime: int) -> Write:
    def written(path: Path, values: Values) -> None:
        write(path, values)
        path.write_bytes(gzip.compress(path.read_bytes(), level, mtime=mtime))

    return written


SAMPLES = (
    Sample("fit.json", json_plain, json_spaced),
    Sample("fit.yaml", yaml_block, yaml_flow),
    Sample("events.csv", csv_short, csv_long, movable=True),
    Sample("events.hepmc", hepmc, hepmc_later, movable=True),
    Sample("analysis.yoda", yoda, yoda_short),
    Sample("arrays.npz", npz_plain, npz_packed),
    Sample("array.npy", npy_little, npy_big),
    Sample("events.h5", hdf5_plain, hdf5_packed),
    Sample("tree.root", tree_one_basket, tree_two_baskets, movable=True),
    Sample("ntuple.root", ntuple, ntuple_packed, movable=True),
    Sample("histogram.root", histogram, histogram_packed),
    Sample("plot.png", png, png_later, tolerant=False),
    Sample("plot.pdf", pdf, pdf_later, tolerant=False),
    Sample("plot.svg", svg, svg, tolerant=False),
    Sample("fit.json.gz", packed(json_plain, 1, 1), packed(json_spaced, 9, 2)),
    Sample("tree.root.gz", packed(tree_one_basket, 1, 1), packed(tree_two_baskets, 9, 2), movable=True),
)
