"""What the observer does before Snakemake is there."""

import subprocess
import sys

TWICE = """
import os, signal
from relance.engines import observer

observer.heed_one_interrupt()
try:
    os.kill(os.getpid(), signal.SIGINT)
except KeyboardInterrupt:
    os.kill(os.getpid(), signal.SIGINT)
    print("tidied", signal.getsignal(signal.SIGINT) is signal.SIG_IGN)
"""


def test_a_second_interrupt_does_not_cut_short_what_the_first_one_began() -> None:
    done = subprocess.run([sys.executable, "-c", TWICE], capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == ("tidied False\n", 0), done.stderr
