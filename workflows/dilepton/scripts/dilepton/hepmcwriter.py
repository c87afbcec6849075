"""Writing HepMC3 ASCII whose header says what only the end of a run knows."""

import io
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
import pyhepmc
from numpy.typing import NDArray
from pyhepmc import _core as hepmc

from dilepton import atomic, compression
from dilepton.slimming import SlimEvent

_DIGITS = 7
_BUFFER = 1 << 16
_FIRST_EVENT = b"\nE "
_FOOTER = b"HepMC::Asciiv3-END"

Attribute = float | int | str


@dataclass(frozen=True)
class Tool:
    """A program that took part in making the events."""

    name: str
    version: str
    description: str


@dataclass(frozen=True)
class EventExtras:
    """What goes with the particles of one event.

    Attributes:
        number: counted from 0.
        weights: (weights,) in the order of the writer's weight names.
        cross_section_pb, cross_section_uncertainty_pb: the best estimate so far.
    """

    number: int
    weights: NDArray[np.float64]
    cross_section_pb: float
    cross_section_uncertainty_pb: float


class EventWriter:
    """Writes slimmed events, one after another."""

    def __init__(self, stream: BinaryIO, run: pyhepmc.GenRunInfo) -> None:
        """Write to a binary stream."""
        self._body = _AfterHeader(stream)
        self._stream = hepmc.pyiostream(self._body, _BUFFER)
        self._writer = hepmc.WriterAscii(self._stream, run)
        self._writer.precision = _DIGITS
        self._run = run

    def write(self, event: SlimEvent, extras: EventExtras) -> None:
        """Write one event.

        Raises:
            OSError: the stream refuses it.
        """
        record = pyhepmc.GenEvent(self._run, pyhepmc.Units.GEV, pyhepmc.Units.MM)
        px, py, pz, energy = event.momentum
        record.from_hepevt(
            extras.number, px, py, pz, energy, event.mass, event.pid, event.status,
            parents=event.parents, fortran=False,
        )  # fmt: skip
        record.weights = extras.weights.tolist()
        cross_section = pyhepmc.GenCrossSection()
        cross_section.set_cross_section(extras.cross_section_pb, extras.cross_section_uncertainty_pb)
        record.cross_section = cross_section
        self._writer.write_event(record)
        self._body.check()

    def close(self) -> None:
        """Write the footer and whatever is still buffered."""
        self._writer.close()
        self._stream.flush()
        self._body.check()


class RunFile:
    """An output of events to which the facts about the whole run are given last."""

    def __init__(self, body: BinaryIO, weight_names: Sequence[str], tools: Sequence[Tool]) -> None:
        """Take the stream of the events' part."""
        self._weight_names = list(weight_names)
        self._tools = [(tool.name, tool.version, tool.description) for tool in tools]
        self.events = EventWriter(body, self._run_info({}))
        self.attributes: dict[str, Attribute] = {}

    def header(self) -> bytes:
        """The lines before the first event."""
        text = io.BytesIO()
        stream = hepmc.pyiostream(text, _BUFFER)
        writer = hepmc.WriterAscii(stream, self._run_info(self.attributes))
        writer.close()
        stream.flush()
        return text.getvalue().partition(_FOOTER)[0]

    def _run_info(self, attributes: Mapping[str, Attribute]) -> pyhepmc.GenRunInfo:
        run = pyhepmc.GenRunInfo()
        run.weight_names = self._weight_names
        run.tools = self._tools
        for name, value in attributes.items():
            run.attributes[name] = value
        return run


@contextmanager
def run_file(path: Path, weight_names: Sequence[str], tools: Sequence[Tool]) -> Iterator[RunFile]:
    """Write a HepMC3 ASCII file, compressed by its suffix, there whole or not at all.

    The events are compressed beside the output first; header and events then become two members of one
    compressed file, which reads as one text.

    Raises:
        OSError: the folder cannot be written, or the disk is full.
    """
    with atomic.output(path) as temporary, tempfile.TemporaryFile(dir=temporary.parent) as body:
        with compression.appended(cast(BinaryIO, body), path.suffix) as stream:
            output = RunFile(stream, weight_names, tools)
            yield output
            output.events.close()
        with temporary.open("wb") as whole:
            with compression.appended(whole, path.suffix) as stream:
                stream.write(output.header())
            body.seek(0)
            shutil.copyfileobj(body, whole)


class _AfterHeader:
    """A stream that drops everything before the first event and remembers the first refusal.

    pyhepmc loses the exceptions of the streams it writes to.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._waiting: bytes | None = b""
        self._error: OSError | None = None

    def write(self, data: bytes) -> int:
        size = len(data)
        if self._waiting is not None:
            self._waiting += data
            start = self._waiting.find(_FIRST_EVENT)
            if start < 0:
                return size
            data, self._waiting = self._waiting[start + 1 :], None
        try:
            self._stream.write(bytes(data))
        except OSError as error:
            self._error = self._error or error
        return size

    def flush(self) -> None:
        """Nothing is held back here once the first event has come."""

    def check(self) -> None:
        if self._error is not None:
            raise self._error
