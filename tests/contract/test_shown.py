"""Credentials are shown to the jobs of a run, and nothing that the run leaves tells of them."""

import gzip
import os
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

WORKFLOW = """stages:
- name: one
  scheduler:
    scheduler_type: singlestep-stage
    parameters: {out: '{workdir}/out.txt'}
    step:
      process: {process_type: string-interpolated-cmd, cmd: 'wc -c < "$X509_USER_PROXY" > {out}'}
      environment: {environment_type: localproc-env}
      publisher: {publisher_type: interpolated-pub, publish: {out: '{out}'}}
"""
SECRET = b"one proxy that nobody else may have"


def relance(folder: Path, *words: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "relance", *words]
    environment = {**os.environ, "RELANCE_STORE": str(folder / "store"), **variables}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def contents(archive: Path) -> Iterator[bytes]:
    """Yield all that an archive holds, what is packed in it unpacked, too."""
    with tarfile.open(archive) as packed:
        for member in packed:
            yield member.name.encode()
            stream = packed.extractfile(member)
            data = stream.read() if stream else b""
            yield gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data


@pytest.fixture
def analysis(tmp_path: Path) -> Path:
    (tmp_path / "w.yml").write_text(WORKFLOW)
    converted = relance(tmp_path, "convert", "w.yml", "out")
    assert converted.returncode == 0, converted.stderr
    (draft,) = (tmp_path / "out/specs").glob("*.yaml")
    assert "kind: voms" in draft.read_text()
    return tmp_path


def test_a_capsule_holds_neither_a_proxy_nor_where_it_was(analysis: Path, tmp_path: Path) -> None:
    proxy = tmp_path / "where-it-is"
    proxy.write_bytes(SECRET)
    ran = relance(analysis, "run", "out", "--runtime", "plain", X509_USER_PROXY=str(proxy))
    assert ran.returncode == 0, ran.stderr
    assert "$X509_USER_PROXY" in ran.stderr
    assert (analysis / "out/workdir/one/out.txt").read_text().split() == [str(len(SECRET))]
    captured = relance(analysis, "capture", "out", "-o", "capsule.tar", X509_USER_PROXY=str(proxy))
    assert captured.returncode == 0, captured.stderr
    found = list(contents(analysis / "capsule.tar"))
    assert any(b"X509_USER_PROXY" in one for one in found)
    assert not [one for one in found if SECRET in one or b"where-it-is" in one]
    verified = relance(analysis, "verify", "capsule.tar")
    assert "voms" in verified.stdout + verified.stderr


def test_a_run_without_the_proxy_that_it_needs_does_not_begin(analysis: Path) -> None:
    ran = relance(analysis, "run", "out", "--runtime", "plain", X509_USER_PROXY="/none")
    assert ran.returncode == 3
    assert "needs a grid proxy" in ran.stderr
    assert "voms-proxy-init" in ran.stderr
    assert not (analysis / "out/workdir").exists()
