"""What holds for all tests: their order, what is measured, and what a machine lacks.

What it lacks is a failure in continuous integration, and a skip with its reason elsewhere.
"""

import os
import shutil
from collections.abc import Generator
from pathlib import Path

import hypothesis
import pytest

# How long an example takes says how busy the machine is.
hypothesis.settings.register_profile(
    "patient", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("patient")

TESTS = Path(__file__).parent
ENGINES = ("apptainer", "podman", "dockerd")
# Files of tests that take longest, those first: a core that is given one of them last works alone at the end.
LONGEST = (
    "contract/test_dilepton.py",
    "workflows/test_physics.py",
    "contract/test_recast_dilepton.py",
    "contract/test_images.py",
    "contract/test_registries.py",
    "contract/test_recast.py",
    "contract/test_converted.py",
    "contract/test_capture.py",
    "contract/test_cwl.py",
    "workflows/test_fit.py",
)


def pytest_configure() -> None:
    """Measure what tests reach in their own process, and in those of commands only where that is asked for.

    A process that is measured takes up to twice as long, and tests start thousands of them.
    """
    if "PYTEST_XDIST_WORKER" in os.environ and os.environ.get("RELANCE_MEASURE") != "processes":
        os.environ.pop("COVERAGE_PROCESS_CONFIG", None)


def place(item: pytest.Item) -> tuple[int, int]:
    """Where a test's file stands in the order: the longest, then those that call programs, then units."""
    name = item.path.relative_to(TESTS).as_posix()
    return LONGEST.index(name) if name in LONGEST else len(LONGEST), name.startswith("unit/")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=place)
    lacking = [engine for engine in ENGINES if shutil.which(engine) is None]
    if not lacking or os.environ.get("CI"):
        return
    reason = f"{', '.join(lacking)} missing here; as root on Debian, tests/machine/prepare.sh installs them"
    for item in items:
        if item.get_closest_marker("container"):
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.skipped and os.environ.get("CI"):
        report.outcome = "failed"
        report.longrepr = f"skipped where nothing may be: {report.longrepr}"
    return report
