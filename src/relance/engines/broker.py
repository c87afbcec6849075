"""Runs the jobs of a sandboxed Snakemake, each in the container of its image, outside of the sandbox.

The stand-in inside (`standin.program`) asks over a unix socket. What it asks is not trusted: only `SHELL -c
TEXT` in one of the capsule's images is run, in a container that sees the work folder and what relance itself
chose; anything else is refused. A job ends with its caller, and all end with the broker's standard input, so
that none outlives a run, whatever ends it. Hence it is a process of its own:

    python -m relance.engines.broker          # its rules are a line of JSON on standard input
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, cast

from relance.engines import limits
from relance.engines.jobs import Order, Rules, command, noting, plain
from relance.engines.limits import Limits
from relance.engines.sandbox import kinds
from relance.engines.standin.program import RefusedCallError
from relance.model import RuntimeKind

_LARGEST = 1 << 22  # bytes of a call
_MOST = 256  # jobs at once; Snakemake asks for no more than it has cores
_PATIENCE = 1.5  # seconds until SIGKILL
_AGAIN = 0.2  # seconds between two SIGTERM, of which a container that just begins misses the first
_CHUNK = 1 << 16
_REFUSED = 255
_OVER = b"over\n"  # the caller's container has ended by itself


@contextmanager
def broking(
    rules: Rules,
    place: Path,
    *,
    environment: Mapping[str, str],
    left: list[str] | None,
    log: Path,
    bounds: Limits | None = None,
) -> Iterator[Broker]:
    """Run a broker that answers on the socket `place` during the block.

    Args:
        rules: what it may run.
        place: a new socket, in a folder that is there.
        environment: of the container engine's own program.
        left: the command that removes the caller's own container, should the run be cut short.
        log: file that the broker's own failures are written to.
        bounds: what each process may take at most; None: as much as there is.
    """
    with _listening(place) as listener, log.open("ab") as output:
        line = [sys.executable, "-P", "-m", "relance.engines.broker", str(listener.fileno())]
        process = subprocess.Popen(
            limits.bounded(bounds, line) if bounds else line,
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=output,
            pass_fds=[listener.fileno()],
            env=dict(environment),
            cwd="/",
            start_new_session=True,
        )
    with process:
        stream = cast(IO[bytes], process.stdin)
        stream.write(json.dumps({"rules": rules.to_json(), "left": left}).encode() + b"\n")
        stream.flush()
        broker = Broker(process)
        try:
            yield broker
        finally:
            broker.end()


class Broker:
    """A broker that runs."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    def end(self, last: bytes = b"") -> None:
        """End every job and the broker; more than once does nothing more."""
        stream = cast(IO[bytes], self._process.stdin)
        if not stream.closed:
            with suppress(BrokenPipeError):
                stream.write(last)
                stream.close()

    def wait(self) -> None:
        """End it after its caller's container has ended, and wait until every job has."""
        self.end(_OVER)
        self._process.wait()


@contextmanager
def _listening(place: Path) -> Iterator[socket.socket]:
    """Listen on a new socket; the path of a socket may have 107 bytes, a file descriptor's name is short."""
    folder = os.open(place.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
            listener.bind(f"/proc/self/fd/{folder}/{place.name}")
            listener.listen(_MOST)
            yield listener
    finally:
        os.close(folder)


class _Jobs:
    """The jobs that run."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._free = asyncio.Semaphore(_MOST)
        self._ending = asyncio.Event()
        self._running: set[asyncio.Task[None]] = set()

    async def attend(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one caller."""
        task = cast("asyncio.Task[None]", asyncio.current_task())
        self._running.add(task)
        try:
            async with self._free:
                await self._answer(reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass  # the caller is gone
        finally:
            self._running.discard(task)
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    async def end(self) -> None:
        """End every job."""
        self._ending.set()
        if self._running:
            await asyncio.wait(self._running)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            order = await _read(reader, self._rules)
        except RefusedCallError as error:
            _send(writer, 2, f"relance: {error}\n".encode())
            _send(writer, 0, str(_REFUSED).encode())
            await writer.drain()
            return
        if self._ending.is_set():
            return
        name = f"relance-{os.getpid()}-{os.urandom(4).hex()}"
        job = await asyncio.create_subprocess_exec(
            *noting(self._rules, order, command(self._rules, order, name)),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
            **plain(self._rules, order),
        )
        told = asyncio.create_task(_tell(job, writer))
        others = [asyncio.create_task(reader.read(1)), asyncio.create_task(self._ending.wait())]
        try:
            await asyncio.wait([told, *others], return_when=asyncio.FIRST_COMPLETED)
            finished = told.done() and told.exception() is None
        finally:
            for task in (told, *others):
                task.cancel()
            await asyncio.gather(told, *others, return_exceptions=True)
        if finished:
            _send(writer, 0, str(await job.wait() % 256).encode())
            await writer.drain()
        else:
            await _end(job, self._rules, name)


async def _read(reader: asyncio.StreamReader, rules: Rules) -> Order:
    size = int.from_bytes(await reader.readexactly(4), "big")
    if size > _LARGEST:
        raise RefusedCallError(f"a call of {size} bytes is too long")
    return Order.read(await reader.readexactly(size), rules)


async def _tell(job: asyncio.subprocess.Process, writer: asyncio.StreamWriter) -> None:
    """Pass on what a job prints until it has ended."""
    streams = ((1, job.stdout), (2, job.stderr))

    async def pump(number: int, stream: asyncio.StreamReader) -> None:
        while data := await stream.read(_CHUNK):
            _send(writer, number, data)
            await writer.drain()

    await asyncio.gather(*(pump(number, stream) for number, stream in streams if stream is not None))
    await job.wait()


def _send(writer: asyncio.StreamWriter, number: int, data: bytes) -> None:
    writer.write((len(data) + 1).to_bytes(4, "big") + bytes([number]) + data)


async def _end(job: asyncio.subprocess.Process, rules: Rules, name: str) -> None:
    """End a job and all that belongs to it."""
    kind = rules.runtime.kind
    named = kind in {RuntimeKind.PODMAN, RuntimeKind.DOCKER}
    removal = kinds.removal(kind, Path(rules.program), name) if named else None
    latest = time.monotonic() + _PATIENCE
    while job.returncode is None and time.monotonic() < latest:
        await _quietly(removal)
        _signal(job, signal.SIGTERM)
        with suppress(TimeoutError):
            await asyncio.wait_for(job.wait(), _AGAIN)
    _signal(job, signal.SIGKILL)  # what is left of its group, too
    await job.wait()
    await _quietly(removal)  # the container may not have been there before


def _signal(job: asyncio.subprocess.Process, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(job.pid, number)


async def _quietly(line: list[str] | None) -> None:
    if line is None:
        return
    null = asyncio.subprocess.DEVNULL
    done = await asyncio.create_subprocess_exec(*line, stdin=null, stdout=null, stderr=null)
    await done.wait()


async def _serve(rules: Rules, left: list[str] | None, listener: socket.socket, orders: IO[bytes]) -> None:
    jobs = _Jobs(rules)
    ended = asyncio.Event()
    asyncio.get_running_loop().add_reader(orders, ended.set)  # nothing more is written: it is the end
    server = await asyncio.start_unix_server(jobs.attend, sock=listener)
    await ended.wait()
    server.close()
    await jobs.end()
    if orders.readline() != _OVER:
        await _quietly(left)


def main(descriptor: int, orders: IO[bytes]) -> None:
    """Serve until `orders` ends, of which the first line holds the rules."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # its standard input tells when the run is over
    given: dict[str, Any] = json.loads(orders.readline() or "{}")
    if not given:
        return
    rules, left = Rules.from_json(given["rules"]), given["left"]
    asyncio.run(_serve(rules, left, socket.socket(fileno=descriptor), orders))


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.stdin.buffer)
