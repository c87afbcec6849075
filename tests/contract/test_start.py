"""What loading the command line costs."""

import resource
import subprocess
import sys

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
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-m", "relance", "--help"], capture_output=True, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    # Processor time, so that a busy machine does not count; coverage measurement about doubles it.
    assert min(seconds() for _ in range(5)) < 0.2
