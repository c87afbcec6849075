"""What every program of the analysis says to bad input: one message, and nothing left behind."""

import os
import re
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import hist
import numpy as np
import pytest
import synthetic
import uproot
from eventfile import ELECTRON, Event, Particle, write_events
from eventfile import Sample as EventSample
from leshouchesfile import write_leshouches

from conftest import DETECTOR
from dilepton import filling, histogramfile, observed, regions
from dilepton.ntuple import Ntuple, Sample

LUMINOSITY = 20.0
BACKGROUNDS = ("dy_60_120", "dy_600_1000", "ttbar")
Options = dict[str, object]


@dataclass(frozen=True)
class Inputs:
    """Good input of every step, in a folder where bad ones may be put beside them."""

    folder: Path
    events: Path
    showers: Path
    ntuples: dict[str, Path]
    histograms: dict[str, Path]
    data: Path

    def options(self, program: str, output: Path) -> Options:
        """A command that works."""
        declared: Options = {"--regions": synthetic.REGIONS, "--luminosity-ifb": LUMINOSITY}
        backgrounds = [self.ntuples[name] for name in BACKGROUNDS]
        commands: dict[str, Options] = {
            "generate": {
                "--process": "drell_yan",
                "--events": 30,
                "--seed": 1,
                "--variations": "none",
                "--no-multiple-interactions": [],
                "--output": output / "events.hepmc",
            },
            "reduce": {
                "--input": self.events,
                "--sample": "signal",
                "--detector": DETECTOR,
                "--seed": 1,
                "--output": output / "ntuple.root",
            },
            "histogram": {"--input": self.ntuples["ttbar"], "--output": output / "h.root"} | declared,
            "pseudodata": {"--input": backgrounds, "--seed": 1, "--output": output / "data.root"} | declared,
            "fit": {
                "--signal": self.histograms["signal"],
                "--background": [self.histograms[name] for name in BACKGROUNDS],
                "--data": self.data,
                "--plots": output / "plots",
                "--workspace": output / "workspace.json",
                "--result": output / "result.json",
                "--plot-formats": "png",
            }
            | declared,
        }
        return commands[program]


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Inputs:
    folder = tmp_path_factory.mktemp("inputs")
    showers = folder / "events.lhe"
    write_leshouches(showers, 5)
    analysis = regions.read(synthetic.REGIONS)
    ntuples = {name: synthetic.sample(folder, name, 300, 3) for name in (*BACKGROUNDS, "signal")}
    histograms = {}
    for name, path in ntuples.items():
        sample = Sample([Ntuple(path)])
        read = filling.reading(analysis, sample)
        histograms[name] = folder / f"{name}_histograms.root"
        histogramfile.write_sample(
            histograms[name],
            analysis,
            filling.fill(analysis, sample, read, LUMINOSITY),
            sample=sample.metadata,
            luminosity=LUMINOSITY,
            warnings=(),
        )
    drawn = [observed.draw(analysis, Sample([Ntuple(ntuples[n])]), LUMINOSITY, 1) for n in BACKGROUNDS]
    about = histogramfile.DataMetadata(1, LUMINOSITY, 0.0, BACKGROUNDS, {})
    histogramfile.write_data(folder / "data.root", analysis, observed.total(analysis, drawn).counts, about)
    return Inputs(folder, events(folder / "events.hepmc"), showers, ntuples, histograms, folder / "data.root")


def events(path: Path, **changes: Any) -> Path:
    """A hundred pairs of electrons."""
    pair = [Particle(ELECTRON, 400, 0.5, 0.0), Particle(-ELECTRON, 400, -0.7, 3.0)]
    return write_events(path, EventSample([Event(pair)] * 100, **changes))


def run(
    program: str, options: Options, before: Callable[[], None] | None = None
) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(synthetic.SCRIPTS / f"{program}.py")]
    for option, values in options.items():
        command += [option, *map(str, values if isinstance(values, list) else [values])]
    return subprocess.run(command, capture_output=True, text=True, check=False, preexec_fn=before)


# --- bad files: each function makes one beside the good ones -----------------------------------------------


def cut(path: Path) -> Path:
    """The first three quarters of a file."""
    bad = path.with_name(f"cut_{path.name}")
    bad.write_bytes(path.read_bytes()[: path.stat().st_size * 3 // 4])
    return bad


def rewritten(path: Path, old: str, new: str) -> Path:
    """A text file with one mistake."""
    text = path.read_text("utf-8")
    assert old in text
    bad = path.with_name(f"wrong_{path.name}")
    bad.write_text(text.replace(old, new, 1), "utf-8")
    return bad


def declared(inputs: Inputs, old: str, new: str, source: Path = synthetic.REGIONS) -> Path:
    """A declaration with one mistake."""
    copy = inputs.folder / source.name
    copy.write_text(source.read_text("utf-8"), "utf-8")
    return rewritten(copy, old, new)


def without_tree(inputs: Inputs) -> Path:
    path = inputs.folder / "no_tree.root"
    with uproot.recreate(path) as file:
        file["other"] = "text"
    return path


def ntuple(inputs: Inputs, *, weight: float = 1.0, **about: object) -> Path:
    """An ntuple whose twelfth event has another weight, or whose metadata differ."""
    spectrum = synthetic.SPECTRA["ttbar"]
    data = synthetic.columns(spectrum, 50, 3)
    described = synthetic.metadata("ttbar", spectrum, data, **about)
    data["weight"][11] = weight
    return synthetic.write(inputs.folder / "bad_ntuple.root", data, described)


def histograms(inputs: Inputs, *, events: float = 1.0, **about: object) -> Path:
    """Histograms of the top pairs with another number of events in one bin, or other metadata."""
    analysis = regions.read(synthetic.REGIONS)
    read = histogramfile.read_sample(inputs.histograms["ttbar"], analysis, LUMINOSITY)
    yields = [
        filling.Yields(region, variation, np.pad(values, 1), np.pad(values, 1))
        for (region, variation), values in read.yields.items()
    ]
    yields[0].values[2] = events
    path = inputs.folder / "bad_histograms.root"
    sample = replace(read.sample, **about)
    histogramfile.write_sample(path, analysis, yields, sample=sample, luminosity=LUMINOSITY, warnings=())
    return path


def data(inputs: Inputs, events: float) -> Path:
    """Data with another number of events in one bin."""
    path = inputs.folder / "bad_data.root"
    with uproot.open(inputs.data) as good, uproot.recreate(path) as bad:
        for name in good.keys(cycle=False, recursive=True, filter_classname="TH1D"):
            one: hist.Hist = good[name].to_hist()
            one.view().value[0] = events
            bad[name] = one
        bad["metadata"] = str(good["metadata"])
    return path


@dataclass(frozen=True)
class Case:
    """A fault: the options that it changes, and words that the message must have."""

    program: str
    fault: str
    changes: Callable[[Inputs], Options]
    words: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.program}, {self.fault}"


def of_ntuples(fault: str, change: Callable[[Inputs], Path], *words: str) -> list[Case]:
    """The two programs that read ntuples say the same."""
    return [
        Case(name, fault, lambda i: {"--input": change(i)}, words) for name in ("histogram", "pseudodata")
    ]


def of_regions(fault: str, old: str, new: str, *words: str) -> list[Case]:
    """The three programs that read regions.yaml say the same."""
    return [
        Case(name, fault, lambda i: {"--regions": declared(i, old, new)}, words)
        for name in ("histogram", "pseudodata", "fit")
    ]


def of_fit(fault: str, option: str, change: Callable[[Inputs], Path], *words: str) -> Case:
    return Case("fit", fault, lambda i: {option: change(i)}, words)


CASES = [
    # cut off
    Case("generate", "Les Houches file cut off", lambda i: {"--lhe": cut(i.showers)}, ("cut_events.lhe",)),
    Case(
        "reduce",
        "HepMC file cut off",
        lambda i: {"--input": cut(i.events)},
        ("cut_events.hepmc", "END_EVENT_LISTING"),
    ),
    *of_ntuples("file cut off", lambda i: cut(i.ntuples["ttbar"]), "cut_ttbar.root", "cut off", "reduce.py"),
    of_fit("signal cut off", "--signal", lambda i: cut(i.histograms["signal"]), "cut_signal", "histogram.py"),
    of_fit("data cut off", "--data", lambda i: cut(i.data), "cut_data.root", "pseudodata.py"),
    # another file
    *of_ntuples("no tree", without_tree, "no_tree.root", "a tree 'events'", "found other", "reduce.py"),
    *of_ntuples("no ROOT file", lambda i: i.events, "events.hepmc", "expected a whole ROOT file"),
    of_fit("no histograms", "--background", without_tree, "no_tree.root", "histogram.py"),
    of_fit("an ntuple as data", "--data", lambda i: i.ntuples["ttbar"], "ttbar.root", "pseudodata.py"),
    of_fit("an ntuple as signal", "--signal", lambda i: i.ntuples["signal"], "signal.root", "histogram.py"),
    # cross-section
    Case(
        "reduce",
        "negative cross-section in the file",
        lambda i: {"--input": events(i.folder / "bad.hepmc", cross_section="-2.5 0.25")},
        ("cross_section_pb > 0", "found -2.5", "--cross-section-pb"),
    ),
    Case("reduce", "negative cross-section", lambda _: {"--cross-section-pb": "-3"}, ("> 0", "found -3")),
    *of_ntuples(
        "negative cross-section",
        partial(ntuple, cross_section_pb=-1.0),
        "bad_ntuple.root",
        "cross_section_pb > 0",
        "found -1",
    ),
    of_fit(
        "negative cross-section",
        "--background",
        partial(histograms, cross_section_pb=-1.0),
        "bad_histograms.root",
        "cross_section_pb > 0",
        "found -1",
    ),
    # weights
    Case(
        "reduce",
        "NaN weight",
        lambda i: {"--input": rewritten(i.events, "W 1.00000000000000000e+00", "W nan")},
        ("wrong_events.hepmc", "a finite number"),
    ),
    *of_ntuples("NaN weight", partial(ntuple, weight=np.nan), "bad_ntuple.root", "'weight'", "finite", "nan"),
    *of_ntuples("infinite weight", partial(ntuple, weight=np.inf), "'weight'", "finite", "inf"),
    of_fit(
        "NaN events expected", "--background", partial(histograms, events=np.nan), "bad_histograms", "finite"
    ),
    of_fit("NaN events observed", "--data", partial(data, events=np.nan), "bad_data.root", "finite"),
    of_fit("negative events observed", "--data", partial(data, events=-2.0), "bad_data.root", "-2"),
    # empty
    Case(
        "fit",
        "region without background",
        lambda i: {"--background": [i.histograms["dy_60_120"], i.histograms["dy_600_1000"]]},
        ("region 'CR_emu' is empty", "background events", "found none"),
    ),
    Case(
        "fit",
        "signal in no region",
        lambda i: {"--signal": no_signal(i)},
        ("signal", "expected events in a fitted region", "found none"),
    ),
    *of_regions("selection of nothing", "min: 70 GeV, max: 110 GeV", "min: 110 GeV, max: 70 GeV", "mll"),
    # unknown
    *of_regions("unknown key", "prescale: 1\n", "prescail: 1\n", "wrong_regions.yaml:", "'prescale'"),
    *of_regions("unknown process", "processes: [drell_yan]", "processes: [wjets]", "'wjets'"),
    Case(
        "reduce",
        "unknown key",
        lambda i: {"--detector": declared(i, "minimum_pt: 20 GeV", "minimum_pT: 20 GeV", DETECTOR)},
        ("wrong_detector.yaml:", "did you mean 'minimum_pt'?"),
    ),
    Case(
        "generate", "unknown process", lambda _: {"--process": "wjets"}, ("--process", "'wjets'", "'ttbar'")
    ),
    Case("generate", "mass for nothing", lambda _: {"--mass": "much"}, ("--mass", "'much'")),
    *(
        Case(program, "unknown option", lambda _: {"--regionss": "x"}, ("--regionss", "--help"))
        for program in ("generate", "reduce", "histogram", "pseudodata", "fit")
    ),
    Case("fit", "abbreviated option", lambda i: {"--dat": i.data}, ("'--dat'", "did you mean '--data'?")),
    # not there
    Case("reduce", "a folder", lambda i: {"--input": i.folder}, ("expected a file, found a folder",)),
    Case("reduce", "no such file", lambda _: {"--input": "nowhere.hepmc"}, ("nowhere.hepmc",)),
    *of_ntuples("no such file", lambda _: Path("nowhere.root"), "nowhere.root"),
    of_fit("no such file", "--data", lambda _: Path("nowhere.root"), "nowhere.root"),
]


def no_signal(inputs: Inputs) -> Path:
    """Histograms of a signal of which nothing is selected."""
    analysis = regions.read(synthetic.REGIONS)
    read = histogramfile.read_sample(inputs.histograms["signal"], analysis, LUMINOSITY)
    yields = [
        filling.Yields(region, variation, np.zeros(len(values) + 2), np.zeros(len(values) + 2))
        for (region, variation), values in read.yields.items()
    ]
    path = inputs.folder / "no_signal.root"
    histogramfile.write_sample(path, analysis, yields, sample=read.sample, luminosity=LUMINOSITY, warnings=())
    return path


@pytest.mark.parametrize("case", CASES, ids=str)
def test_bad_input_is_refused_in_one_message_and_leaves_nothing(
    inputs: Inputs, tmp_path: Path, case: Case
) -> None:
    ended = run(case.program, inputs.options(case.program, tmp_path) | case.changes(inputs))
    assert ended.returncode == 2, ended.stderr
    assert ended.stdout == ""
    # A declaration with several mistakes has a line for each, with its file and line.
    message = re.fullmatch(r"error: (.+?: .+?; .+(?:\n/.+:\d+: .+; .+)*)\n", ended.stderr)
    assert message, ended.stderr
    for word in case.words:
        assert word in message[1]
    assert list(tmp_path.iterdir()) == []


# --- a full disk -------------------------------------------------------------------------------------------


@contextmanager
def full_disk(folder: Path) -> Iterator[Callable[[], None] | None]:
    """A folder with room for 8 kB: a file system of that size; where none may be made, a limit on files."""
    mounted = (
        os.geteuid() == 0
        and not subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=8k", "tmpfs", str(folder)], capture_output=True, check=False
        ).returncode
    )
    try:
        yield None if mounted else partial(resource.setrlimit, resource.RLIMIT_FSIZE, (8192, 8192))
    finally:
        if mounted:
            subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.parametrize(
    ("program", "changes"),
    [
        ("generate", {}),
        ("generate", {"--output": "events.hepmc.gz"}),
        ("generate", {"--output": "events.hepmc.zst"}),
        ("reduce", {}),
        ("histogram", {}),
        ("pseudodata", {}),
        ("fit", {}),
    ],
    ids=lambda value: value if isinstance(value, str) else "".join(value.values()),
)
def test_a_full_disk_is_named_and_nothing_is_left_on_it(
    inputs: Inputs, tmp_path: Path, program: str, changes: dict[str, str]
) -> None:
    with full_disk(tmp_path) as before:
        options = inputs.options(program, tmp_path)
        options |= {option: tmp_path / value for option, value in changes.items()}
        ended = run(program, options, before)
        left = list(tmp_path.iterdir())
    assert ended.returncode == 2, ended.stderr
    *warnings, message = ended.stderr.splitlines()
    assert all(line.startswith("warning: ") for line in warnings), ended.stderr
    assert re.match(
        r"error: .*(the disk is full; nothing was written|size limit; nothing written); ", message
    )
    assert left == []


@pytest.mark.parametrize("program", ["generate", "reduce", "histogram", "pseudodata", "fit"])
def test_the_good_input_is_good(inputs: Inputs, tmp_path: Path, program: str) -> None:
    """Else the other tests here would pass for another reason than the fault."""
    ended = run(program, inputs.options(program, tmp_path))
    assert ended.returncode == 0, ended.stderr
    assert list(tmp_path.iterdir())
