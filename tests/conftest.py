"""What a machine lacks: a failure in continuous integration, a skip with its reason elsewhere."""

import os
import shutil

import pytest

ENGINES = ("apptainer", "podman", "dockerd")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    lacking = [engine for engine in ENGINES if shutil.which(engine) is None]
    if not lacking or os.environ.get("CI"):
        return
    reason = f"{', '.join(lacking)} missing here; as root on Debian, tests/machine/prepare.sh installs them"
    for item in items:
        if item.get_closest_marker("container"):
            item.add_marker(pytest.mark.skip(reason=reason))
