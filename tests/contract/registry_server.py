"""Debian's docker-registry on this machine, as groups run it: without a list of referrers."""

import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


def need(program: str) -> None:
    """Skip where a program is missing; in CI that is a failure."""
    if shutil.which(program) is None:
        if os.environ.get("CI") == "true":
            pytest.fail(f"{program} is missing; tests/machine/*.sh install it")
        pytest.skip(f"{program} is not here")


@contextmanager
def running(folder: Path, http: dict[str, object] | None = None, **more: object) -> Iterator[str]:
    """Start a registry that keeps its data in `folder` and give its host; it ends with the block."""
    need("docker-registry")
    configuration = {
        "version": "0.1",
        "log": {"level": "info", "formatter": "text"},
        "storage": {"filesystem": {"rootdirectory": str(folder / "data")}},
        "http": {"addr": "127.0.0.1:0", "secret": "only for tests", **(http or {})},
        **more,
    }
    (folder / "config.yml").write_text(json.dumps(configuration), encoding="utf-8")
    log = folder / "registry.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["docker-registry", "serve", folder / "config.yml"],
            stdout=subprocess.DEVNULL,
            stderr=output,
        )
    try:
        while (listening := re.search(rb"listening on (127\.0\.0\.1:\d+)", log.read_bytes())) is None:
            assert process.poll() is None, log.read_text("utf-8")
            time.sleep(0.02)
        yield listening[1].decode()
    finally:
        process.terminate()
        process.wait()
