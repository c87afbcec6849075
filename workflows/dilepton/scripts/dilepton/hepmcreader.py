"""Reading HepMC3 and HepMC2 ASCII in chunks of events, as flat arrays."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import pyhepmc
from numpy.typing import NDArray
from pyhepmc import _core as hepmc

from dilepton.compression import CompressionError, Source
from dilepton.errors import AnalysisError

_BUFFER = 1 << 16
_FORMATS = {
    b"HepMC::Asciiv3": (pyhepmc.io.ReaderAscii, b"HepMC::Asciiv3-END_EVENT_LISTING"),
    b"HepMC::IO_GenEvent": (pyhepmc.io.ReaderAsciiHepMC2, b"HepMC::IO_GenEvent-END_EVENT_LISTING"),
}
_HEADER = 512
_EVENT = b"\nE "
_GEV_PER_MEV = 1e-3
_NOWHERE = -1

Number = TypeVar("Number", int, float)


class HepMCError(AnalysisError):
    """A file of events that cannot be read, or not to its end."""


@dataclass(frozen=True)
class EventChunk:
    """Some events, their particles in flat arrays.

    Attributes:
        number: (events,) as the file numbers them.
        weights: (events, weights).
        event: (particles,) index of each particle's event in this chunk, never falling.
        pid, status: (particles,) PDG and HepMC status codes.
        momentum: (4, particles) px, py, pz, E in GeV.
        production, end: (particles,) index of the vertex where it starts and ends, −1 for none.
        vertices: how many there are in all.
    """

    number: NDArray[np.int64]
    weights: NDArray[np.float64]
    event: NDArray[np.int64]
    pid: NDArray[np.int32]
    status: NDArray[np.int32]
    momentum: NDArray[np.float64]
    production: NDArray[np.int64]
    end: NDArray[np.int64]
    vertices: int

    @property
    def events(self) -> int:
        """How many events there are."""
        return len(self.number)


@dataclass(frozen=True)
class RunFacts:
    """What a file says of its whole run, each None where it says nothing.

    Attributes:
        cross_section_pb, cross_section_uncertainty_pb: as the last event has it.
    """

    process: str | None
    generator: str | None
    seed: int | None
    filter_efficiency: float | None
    cross_section_pb: float | None
    cross_section_uncertainty_pb: float | None


class EventFile:
    """A file of events, read once from start to end.

    Attributes:
        weight_names: of the first event, the nominal one first; known once the file is open.
    """

    def __init__(self, path: Path) -> None:
        """Open the file and read its first event.

        Raises:
            HepMCError: not a HepMC file, or one without a whole event.
            OSError: it cannot be opened.
        """
        _silence()
        self._path = path
        self._source = Source(path)
        self._text = _Watched(self._source)
        try:
            self._reader, self._footer = self._opened()
            self._last = self._first()
        except BaseException:
            self._source.close()
            raise
        self._nominal, self.weight_names = _names(self._last)

    def chunks(self, size: int) -> Iterator[EventChunk]:
        """Give all events, `size` at a time.

        Raises:
            HepMCError: the file is cut off or damaged, or holds a weight or momentum that is no number.
        """
        read = 0
        waiting: list[_Event] = []
        event: pyhepmc.GenEvent | None = self._last
        while event is not None:
            waiting.append(self._event(event))
            self._last = event
            read += 1
            if len(waiting) == size:
                yield _chunk(waiting)
                waiting = []
            event = self._next(read)
        self._check_end(read, self._last)
        if waiting:
            yield _chunk(waiting)

    def facts(self) -> RunFacts:
        """What the file says of its run; complete after the last chunk."""
        section = self._last.cross_section
        run = self._last.run_info
        attributes = {name: str(value) for name, value in run.attributes.items()} if run else {}
        tools = [f"{tool.name} {tool.version}".strip() for tool in run.tools] if run else []
        return RunFacts(
            process=attributes.get("process"),
            generator=", ".join(tools) or None,
            seed=_number(attributes.get("seed"), int),
            filter_efficiency=_number(attributes.get("filter_efficiency"), float),
            cross_section_pb=section.xsec() if section else None,
            cross_section_uncertainty_pb=section.xsec_err() if section else None,
        )

    def close(self) -> None:
        """Close the file."""
        self._source.close()

    def _opened(self) -> tuple[pyhepmc.io.ReaderMixin, bytes]:
        header = self._text.peek(_HEADER)
        if self._text.error is not None:
            raise self._text.error
        for mark, (reader, footer) in _FORMATS.items():
            if mark in header:
                return reader(hepmc.pyiostream(self._text, _BUFFER)), footer
        found = repr(header[:40]) if header else "an empty file"
        raise HepMCError(
            f"'{self._path}': expected HepMC3 or HepMC2 ASCII, found {found}; "
            "write it with a HepMC writer, or give another file by --input"
        )

    def _first(self) -> pyhepmc.GenEvent:
        first = self._next(0)
        if first is None:
            self._check_end(0, None)
            raise HepMCError(f"'{self._path}': expected events, found none; generate the sample again")
        return first

    def _next(self, read: int) -> pyhepmc.GenEvent | None:
        """The next event, or None at the end, and where the reader can make nothing of what follows."""
        if self._reader.failed():
            return None
        event = pyhepmc.GenEvent()
        try:
            self._reader.read_event(event)
        except RuntimeError as error:
            if self._text.ends():
                self._check_whole(read)
            raise HepMCError(
                f"'{self._path}': after {read} events: expected an event that fits the header, each weight "
                f"a finite number, found otherwise ({str(error).partition(': ')[2] or error}); "
                "make the file again"
            ) from error
        if self._reader.failed():
            return None
        return event

    def _check_whole(self, read: int) -> None:
        if self._text.error is not None:
            raise self._text.error
        if self._footer not in self._text.tail:
            raise HepMCError(
                f"'{self._path}': expected the line '{self._footer.decode()}' at the end, found none after "
                f"{read} events: it is cut off or damaged; make it or copy it again"
            )

    def _check_end(self, read: int, last: pyhepmc.GenEvent | None) -> None:
        self._check_whole(read)
        if self._text.events != read:
            raise HepMCError(
                f"'{self._path}': after {read} events: expected another, found one that cannot be read: "
                "it is cut off or damaged; make it or copy it again"
            )
        run = last.run_info if last else None
        promised = _number(str(run.attributes["events"]), int) if run and "events" in run.attributes else None
        if promised is not None and promised != read:
            raise HepMCError(
                f"'{self._path}': expected {promised} events, as its header says, found {read}; "
                "make it or copy it again"
            )

    def _event(self, event: pyhepmc.GenEvent) -> "_Event":
        weights = event.weights
        if len(weights) != len(self.weight_names):
            if weights or len(self.weight_names) > 1:
                raise HepMCError(
                    f"'{self._path}': event {event.event_number}: expected {len(self.weight_names)} weights, "
                    f"found {len(weights)}; make the file again"
                )
            weights = [1.0]
        ordered = np.array(weights)[self._nominal]
        if not np.isfinite(ordered).all():
            name = self.weight_names[int(np.flatnonzero(~np.isfinite(ordered))[0])]
            raise HepMCError(
                f"'{self._path}': event {event.event_number}: expected finite weights, found "
                f"{ordered[~np.isfinite(ordered)][0]} for '{name}'; generate the sample again"
            )
        data = pyhepmc.GenEventData()
        event.write_data(data)
        particles = data.particles
        momentum = np.stack([particles[axis] for axis in ("px", "py", "pz", "e")])
        if not np.isfinite(momentum).all():
            raise HepMCError(
                f"'{self._path}': event {event.event_number}: expected finite momenta, found one that is "
                "not; generate the sample again"
            )
        if event.momentum_unit == pyhepmc.Units.MEV:
            momentum *= _GEV_PER_MEV
        production, end = _links(data.links1, data.links2, len(particles))
        return _Event(
            number=event.event_number,
            weights=ordered,
            pid=particles["pid"].copy(),
            status=particles["status"].copy(),
            momentum=momentum,
            production=production,
            end=end,
            vertices=len(data.vertices),
        )


class _Watched:
    """A source as pyhepmc reads it, which loses exceptions and takes damage for the end.

    Attributes:
        tail: the last bytes read, at most TAIL.
        events: lines read that begin an event.
        error: why reading stopped before the end, if it did.
    """

    TAIL = 4096

    def __init__(self, source: Source) -> None:
        self._source = source
        self._pending = b""
        self.tail = b""
        self.events = 0
        self.error: CompressionError | None = None

    def peek(self, size: int) -> bytes:
        """The first bytes, before anything else is read; they will be read again."""
        while len(self._pending) < size and (more := self._read(size)):
            self._pending += more
        return self._pending

    def readinto(self, buffer: memoryview) -> int:
        """Fill the buffer as far as a read goes; 0 at the end, and where nothing more can be read."""
        data, self._pending = self._pending[: len(buffer)], self._pending[len(buffer) :]
        data = data or self._read(len(buffer))
        buffer[: len(data)] = data
        seam = self.tail[-len(_EVENT) + 1 :]
        self.events += (seam + data).count(_EVENT)
        self.tail = (self.tail + data)[-self.TAIL :]
        return len(data)

    def ends(self) -> bool:
        """Whether nothing more can be read; what is read to know that is lost."""
        return not self.readinto(memoryview(bytearray(1)))

    def _read(self, size: int) -> bytes:
        try:
            return self._source.read(size)
        except CompressionError as error:
            self.error = error
            return b""


@dataclass(frozen=True)
class _Event:
    number: int
    weights: NDArray[np.float64]
    pid: NDArray[np.int32]
    status: NDArray[np.int32]
    momentum: NDArray[np.float64]
    production: NDArray[np.int64]
    end: NDArray[np.int64]
    vertices: int


def _links(
    first: NDArray[np.int32], second: NDArray[np.int32], particles: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Vertices of each particle, out of pairs (particle, −vertex) that go in and (−vertex, particle) that
    go out."""
    production = np.full(particles, _NOWHERE)
    end = np.full(particles, _NOWHERE)
    goes_in = first > 0
    end[first[goes_in] - 1] = -second[goes_in] - 1
    production[second[~goes_in] - 1] = -first[~goes_in] - 1
    return production, end


def _chunk(events: Sequence[_Event]) -> EventChunk:
    counts = np.array([len(event.pid) for event in events])
    offsets = np.concatenate([[0], np.cumsum([event.vertices for event in events])])
    shift = np.repeat(offsets[:-1], counts)
    production = np.concatenate([event.production for event in events])
    end = np.concatenate([event.end for event in events])
    return EventChunk(
        number=np.array([event.number for event in events], dtype=np.int64),
        weights=np.stack([event.weights for event in events]),
        event=np.repeat(np.arange(len(events)), counts),
        pid=np.concatenate([event.pid for event in events]),
        status=np.concatenate([event.status for event in events]),
        momentum=np.concatenate([event.momentum for event in events], axis=1),
        production=np.where(production == _NOWHERE, _NOWHERE, production + shift),
        end=np.where(end == _NOWHERE, _NOWHERE, end + shift),
        vertices=int(offsets[-1]),
    )


def _names(event: pyhepmc.GenEvent) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Order that puts the nominal weight first, and the names in that order."""
    try:
        names = list(event.weight_names)
    except RuntimeError:
        names = []
    size = max(len(event.weights), 1)
    if len(names) != size:
        names = [str(index) for index in range(size)]
    known = [index for index, name in enumerate(names) if name.lower() in ("nominal", "weight", "default")]
    nominal = known[0] if known else 0
    order = [nominal, *(index for index in range(size) if index != nominal)]
    return np.array(order), tuple(names[index] for index in order)


def _number(text: str | None, kind: Callable[[str], Number]) -> Number | None:
    try:
        return kind(text) if text is not None else None
    except ValueError:
        return None


def _silence() -> None:
    """What pyhepmc would print, this module says itself."""
    hepmc._Setup_set_print_errors(False)
    hepmc._Setup_set_print_warnings(False)
    hepmc._Setup_set_debug_level(-1)
