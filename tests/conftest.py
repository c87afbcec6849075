"""What a machine lacks: a failure in continuous integration, a skip with its reason elsewhere."""

import os
import shutil
from collections.abc import Generator

import hypothesis
import pytest

# How long an example takes says how busy the machine is.
hypothesis.settings.register_profile(
    "patient", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("patient")

ENGINES = ("apptainer", "podman", "dockerd")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
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
