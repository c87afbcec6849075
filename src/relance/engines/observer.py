"""Starts Snakemake and notes what its Snakefile reads while it is parsed and while the graph is built.

    python observer.py run|graph OUTFILE GATE ARGUMENT…

It is run by path, in the place of `python -m snakemake`, and needs nothing but the standard library until
Snakemake is there: hence no import of relance. OUTFILE gets the graph of jobs with what was noted:

    run    after the jobs have run, from the graph that the run itself used
    graph  at once, where the arguments ask for the reporter `relance`

GATE is a pipe to wait at, once Snakemake is loaded and before anything of the analysis is read (`gates.py`),
or `-` for none.

Python tells every file that it opens (an audit hook); a library that opens files by other means, such as
HDF5's, does not, nor does a program that the Snakefile starts: such programs are noted by their name.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

_SYSTEM = ("/proc/", "/sys/", "/dev/", "/etc/ld.so", "/usr/share/zoneinfo/", "/usr/share/locale/")
_PROGRAMS = ("/bin/", "/usr/bin/", "/sbin/", "/usr/sbin/", "/usr/local/bin/")
"""Folders of what is started and not read: the shell of every job, and what `_BEYOND` tells."""
_SYSTEM_FILES = frozenset(
    ("/etc/localtime", "/etc/timezone", "/etc/os-release", "/usr/lib/os-release", "/etc/mime.types")
)
_OWN_FOLDERS = frozenset((".snakemake", ".git", "__pycache__", ".envs"))
_SNAKEMAKE_CACHE = "/snakemake/source-cache/"
_LOADED = (
    *("snakemake.cli", "snakemake.report.html_reporter", "snakemake.storage", "snakemake.profiles"),
    *("smart_open", "snakemake_logger_plugin_relance"),
)
"""What Snakemake imports in any case once it runs, as far as this version has it."""


class Observer:
    """What was noted. Its methods run inside of Python's own calls, and never raise."""

    def __init__(self) -> None:
        self.parsing = True
        """Whether the graph is not yet built: until then Snakemake reads nothing for its own ends."""
        self._made: set[str] = set()
        self._read: set[str] = set()
        self._variables: set[str] = set()
        self._beyond: set[str] = set()
        self._standard = os.path.dirname(os.path.abspath(os.__file__)) + "/"
        self._installed = self._find_installed()
        self._users: dict[str, bool] = {}

    def _find_installed(self) -> tuple[str, ...]:
        """Return the folders of Python, its packages, and of relance."""
        here = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
        own = [os.path.join(here, name) for name in os.listdir(here) if "relance" in name]
        packages = [path for path in sys.path if os.path.basename(path) in {"site-packages", "dist-packages"}]
        folders = {sys.prefix, sys.exec_prefix, sys.base_prefix, self._standard, *packages, *own}
        if sys.base_prefix == "/usr":  # else all of /usr would count as Python's
            folders.discard("/usr")
            folders |= {self._standard, "/usr/local/lib/python3", "/usr/lib/python3"}
        folders |= {os.path.realpath(folder) for folder in folders}
        return tuple(f"{folder.rstrip('/')}/" for folder in sorted(folders))

    def hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Note what Python tells of an event."""
        try:
            if event == "open":
                self._opened(*arguments)
            elif event == "import":
                if arguments[1] is not None:
                    self._note(arguments[1])
            elif event in _BEYOND and self._by_user():
                self._beyond.add(_BEYOND[event](arguments))
                if event == "subprocess.Popen":
                    self._words(arguments[1])
        except Exception:  # whatever it is, the call that it happened in goes on
            pass

    def variable(self, name: object) -> None:
        """Note that a variable of the environment was asked for, if the Snakefile itself did."""
        frame = sys._getframe(2)
        while frame is not None and self._is_standard(frame.f_code.co_filename):
            frame = frame.f_back  # type: ignore[assignment]
        if frame is not None and isinstance(name, str) and self._is_users(frame.f_code.co_filename):
            self._variables.add(name)

    def told(self) -> dict[str, list[str]]:
        """Return what was noted, sorted; paths of the analysis (the working folder) relative to it."""
        here = os.getcwd()
        roots = {f"{here}/", f"{os.path.realpath(here)}/"}
        inside, outside = set(), set()
        for path in self._read:
            if not os.path.isfile(path) or self._is_installed(path) or _SNAKEMAKE_CACHE in path:
                continue
            root = next((root for root in roots if path.startswith(root)), None)
            if root is None:
                if not (path in _SYSTEM_FILES or path.startswith((*_SYSTEM, *_PROGRAMS))):
                    outside.add(path)
            elif not _OWN_FOLDERS & set(path[len(root) :].split("/")[:-1]):
                inside.add(path[len(root) :])
        return {
            "read": sorted(inside),
            "read_outside": sorted(outside),
            "variables": sorted(self._variables),
            "beyond": sorted(self._beyond),
        }

    def _opened(self, path: object, mode: str | None, flags: int) -> None:
        if isinstance(path, int) or path is None:
            return
        writes = any(letter in mode for letter in "wax") if mode else flags & os.O_ACCMODE == os.O_WRONLY
        if writes:
            self._made.add(os.path.abspath(os.fsdecode(path)))  # type: ignore[arg-type]
        else:
            self._note(path)

    def _note(self, path: Any) -> None:
        name = os.path.abspath(os.fsdecode(path))
        if name in self._read or name in self._made or not (self.parsing or self._by_user()):
            return
        folder, file = os.path.split(name)
        if os.path.basename(folder) == "__pycache__":  # a module's compiled form stands for the module
            name = os.path.join(os.path.dirname(folder), file.split(".")[0] + ".py")
        self._read.add(name)

    def _words(self, arguments: Any) -> None:
        words = arguments.split() if isinstance(arguments, str) else arguments
        for word in words:
            if os.path.isfile(word):
                self._note(word)

    def _by_user(self) -> bool:
        """Return whether code that is neither Python's, a package's nor Snakemake's called."""
        frame = sys._getframe(2)
        while frame is not None:
            if self._is_users(frame.f_code.co_filename):
                return True
            frame = frame.f_back  # type: ignore[assignment]
        return False

    def _is_users(self, file: str) -> bool:
        if file not in self._users:
            self._users[file] = file[:1] != "<" and not self._is_installed(os.path.abspath(file))
        return self._users[file]

    def _is_installed(self, path: str) -> bool:
        return path.startswith(self._installed)

    def _is_standard(self, file: str) -> bool:
        return file[:1] == "<" or (file.startswith(self._standard) and "-packages/" not in file)


def _program(arguments: tuple[Any, ...]) -> str:
    """Return the name of a program that an event says is started."""
    command = arguments[0]
    if isinstance(command, (bytes, os.PathLike)):
        command = os.fsdecode(command)
    words = command.split() if isinstance(command, str) else []
    return f"program {os.path.basename(words[0]) if words else 'unknown'}"


def _host(arguments: tuple[Any, ...]) -> str:
    """Return the host that an event says is looked up or connected to."""
    place = arguments[0] if isinstance(arguments[0], (str, bytes)) else arguments[1]
    if isinstance(place, tuple):
        place = place[0]
    return f"network {os.fsdecode(place) if isinstance(place, (str, bytes)) else 'unknown'}"


_BEYOND = {
    "subprocess.Popen": _program,
    "os.system": _program,
    "os.exec": _program,
    "os.posix_spawn": _program,
    "socket.getaddrinfo": _host,
    "socket.connect": _host,
}


def _watch_environment(observer: Observer) -> None:
    """Let the mapping `os.environ` tell which names are asked for."""

    class Watched(type(os.environ)):  # type: ignore[misc]
        def __getitem__(self, key: object) -> Any:
            observer.variable(key)
            return super().__getitem__(key)

    os.environ.__class__ = Watched


def _attach(observer: Observer, outfile: str, *, only_graph: bool) -> None:
    """Make Snakemake write the graph, and say when parsing is over."""
    from snakemake.api import Workflow  # its own module can't be imported first

    from snakemake_report_plugin_relance import write_graph

    build, execute = Workflow._build_dag, Workflow.execute

    def _build_dag(self: Any, *given: Any, **named: Any) -> Any:
        observer.parsing = False
        return build(self, *given, **named)

    def _execute(self: Any, *given: Any, **named: Any) -> Any:
        try:
            return execute(self, *given, **named)
        finally:
            if self.dag is not None and not self.dryrun:
                try:
                    write_graph(self, outfile, observer.told())
                except Exception:  # the run is what it was; its graph is read later
                    pass

    def _create_report(self: Any, *_given: Any, **_named: Any) -> None:
        # Snakemake would first read every product that is marked for a report, and want them all to be there.
        self._prepare_dag(
            forceall=self.dag_settings.forceall, ignore_incomplete=True, lock_warn_only=True, nolock=True
        )
        self._build_dag()
        write_graph(self, outfile, observer.told())

    Workflow._build_dag = _build_dag
    if only_graph:
        Workflow.create_report = _create_report
    else:
        Workflow.execute = _execute


def _wait(gate: str) -> list[str] | None:
    """Wait until the gate is opened; end if it never will be.

    If a graph is asked for, a copy of this process reads it: there the words are returned that `main` goes on
    with.
    """
    # Not to open it, but to read from it waits; without a writer both are over at once.
    end = os.open(gate, os.O_RDONLY | os.O_NONBLOCK)
    os.set_blocking(end, True)
    with open(end, "rb", buffering=0) as stream:
        while line := stream.readline():
            if not line.strip():
                return None
            copy = _copy()
            if copy == 0:
                said = os.open(f"{gate}-said", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
                os.dup2(said, 1)
                os.dup2(said, 2)
                with open(f"{gate}-asked", encoding="utf-8") as asked:
                    return list(json.load(asked))
            _, status = os.waitpid(copy, 0)
            with open(f"{gate}-answer", "w", encoding="utf-8") as answer:
                answer.write(f"{os.waitstatus_to_exitcode(status)}\n")
    os._exit(0)


def _copy() -> int:
    """Fork."""
    import warnings

    with warnings.catch_warnings():
        # Python warns of other threads. Here they are a library's own, which wait and survive this.
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()


def heed_one_interrupt() -> None:
    """Let SIGINT interrupt once.

    Apptainer passes on what its container got already. A second interrupt within the handling of the first
    can leave a lock taken for ever, which Snakemake would wait for.
    """
    import signal

    def interrupt(_number: int, _frame: object) -> None:
        signal.signal(signal.SIGINT, lambda *_: None)  # one that is ignored would be ignored by jobs too
        raise KeyboardInterrupt

    signal.signal(signal.SIGINT, interrupt)


def main(mode: str, outfile: str, gate: str, arguments: list[str]) -> None:
    """Run Snakemake with `arguments`, as `python -m snakemake` would."""
    heed_one_interrupt()
    import gc
    import runpy
    import threading
    from contextlib import suppress
    from importlib import import_module

    del sys.path[0]  # the folder of this file; and that of the analysis isn't looked into before the gate
    gc.disable()  # what is loaded stays
    for name in _LOADED:
        with suppress(ImportError):
            import_module(name)
    gc.freeze()
    gc.enable()
    if gate != "-":
        mode, outfile, _, *arguments = _wait(gate) or [mode, outfile, gate, *arguments]
    sys.argv = [sys.argv[0], *arguments]
    observer = Observer()
    _attach(observer, os.path.abspath(outfile), only_graph=mode == "graph")
    sys.path.insert(0, os.getcwd())
    _watch_environment(observer)
    sys.addaudithook(observer.hook)
    try:
        runpy.run_module("snakemake", run_name="__main__", alter_sys=True)
    finally:
        # Snakemake is done but leaves a timer, for which Python would wait up to a second before it ends.
        for thread in threading.enumerate():
            if isinstance(thread, threading.Timer):
                maker = getattr(thread.function, "__module__", None) or ""
                if maker.startswith("snakemake."):
                    thread.cancel()
        gc.freeze()  # nor is there anything to gain from cleaning up all objects of a process that ends


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4:])
