"""Debian's docker-registry on this machine, as groups run it: without a list of referrers."""

import json
import os
import shutil
import socket
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
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{free.getsockname()[1]}"
    configuration = {
        "version": "0.1",
        "log": {"level": "error"},
        "storage": {"filesystem": {"rootdirectory": str(folder / "data")}},
        "http": {"addr": host, "secret": "only for tests", **(http or {})},
        **more,
    }
    (folder / "config.yml").write_text(json.dumps(configuration), encoding="utf-8")
    process = subprocess.Popen(
        ["docker-registry", "serve", folder / "config.yml"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        for _ in range(100):
            try:
                socket.create_connection(("127.0.0.1", int(host.rpartition(":")[2])), timeout=1).close()
                break
            except OSError:
                time.sleep(0.1)
        yield host
    finally:
        process.terminate()
        process.wait()
