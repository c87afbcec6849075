"""Commands killed at random moments: by a process that has loaded what they need, and forks for each of them.

with Killer(seed=1, RELANCE_STORE=str(store)) as killer:
    assert killer.load("capture", "-o", "first") == 0
    assert killer.run("capture", "-o", "second") == 0   # learns how long it takes
    killer.kill("capture", "-o", "third")               # says whether it hadn't ended by itself
"""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

PROGRAM = """
import json, os, signal, sys
from relance.cli import run_command_line

answers = os.fdopen(os.dup(1), "w")
os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
child = ended = status = 0
for line in sys.stdin:
    wanted, command = json.loads(line)
    if wanted == "load":
        answer = run_command_line(command)
    elif wanted == "start":
        child, ended, answer = os.fork(), 0, 0
        if child == 0:
            os._exit(run_command_line(command))
    else:
        if wanted == "kill" and not ended:
            os.kill(child, signal.SIGKILL)
        if not ended:
            ended, status = os.waitpid(child, os.WNOHANG if wanted == "look" else 0)
        answer = bool(ended) if wanted == "look" else os.waitstatus_to_exitcode(status)
    print(int(answer), file=answers, flush=True)
"""


class Killer:
    """Runs `relance`, with some more variables than this process has, and kills it at moments of a seed."""

    def __init__(self, seed: int, folder: Path | None = None, **environment: str) -> None:
        self.moments = random.Random(seed)
        self.span = 0.0
        self.host = subprocess.Popen(
            [sys.executable, "-c", PROGRAM],
            cwd=folder,
            env={**os.environ, **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> "Killer":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.host.communicate()

    def load(self, *command: object) -> int:
        """Run a command in the process that others are forked from; return its exit status."""
        return self._asked("load", *command)

    def run(self, *command: object) -> int:
        """Run a command to its end, and let others be killed within as long; return its exit status."""
        begun = time.monotonic()
        self._asked("start", *command)
        status = self._asked("wait")
        self.span = time.monotonic() - begun
        return status

    def kill(self, *command: object) -> bool:
        """Kill a command at some moment; return whether it hadn't ended.

        Moments follow how busy the machine is: they come earlier after a command that ended, else later.
        """
        self._asked("start", *command)
        time.sleep(self.moments.uniform(0, self.span))
        killed = self._asked("kill") == -signal.SIGKILL
        self.span *= 1.1 if killed else 0.7
        return killed

    def kill_when(self, enough: Callable[[], bool], *command: object) -> bool:
        """Kill a command when enough has happened; return whether it hadn't ended."""
        self._asked("start", *command)
        while not enough() and not self._asked("look"):
            time.sleep(0.002)
        return self._asked("kill") == -signal.SIGKILL

    def _asked(self, wanted: str, *command: object) -> int:
        assert self.host.stdin is not None
        assert self.host.stdout is not None
        self.host.stdin.write(json.dumps([wanted, [str(word) for word in command]]) + "\n")
        self.host.stdin.flush()
        return int(self.host.stdout.readline())
