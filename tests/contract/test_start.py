"""What loading the command line costs."""

import subprocess
import sys
import time

HEAVY = ("snakemake", "docker", "requests", "jsonschema", "yaml", "rich", "relance.engines", "relance.store")


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys; from relance.cli import run_command_line;"
        "run_command_line(['--help']); print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = done.stdout.split()
    assert "Usage: relance" in done.stdout
    assert [name for name in HEAVY if name in loaded] == []


def test_help_is_instant() -> None:
    def seconds() -> float:
        start = time.monotonic()
        subprocess.run([sys.executable, "-m", "relance", "--help"], capture_output=True, check=True)
        return time.monotonic() - start

    assert min(seconds() for _ in range(5)) < 0.25
