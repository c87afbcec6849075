import os
import subprocess
import sys
from pathlib import Path

import pytest

from relance.engines import standin
from relance.engines.standin import measured, program
from relance.errors import InputError
from relance.model import Runtime, RuntimeKind

DIGEST = "sha256:" + "a" * 64


def settings(engine: str = "podman", **images: str) -> program.Settings:
    rows = [
        f"engine\t{engine}",
        "program\t/usr/bin/podman",
        "folder\t/analysis",
        "scratch\t/s",
        "label\trun=1",
    ]
    rows += ["option\t--user", "option\t0:0", "env\tLANG\tC.UTF-8"]
    rows += [f"image\t/images/{name}.sqsh\t{target}" for name, target in images.items()]
    return program.Settings("\n".join(rows))


def install(tmp_path: Path, kind: RuntimeKind = RuntimeKind.PLAIN, **changes: object) -> Path:
    """Install a stand-in for the image `/images/toy.sqsh` and return its command."""
    (tmp_path / "analysis").mkdir(exist_ok=True)
    parts: dict[str, object] = {
        "runtime": Runtime(kind, ""),
        "program": None,
        "folder": tmp_path / "analysis",
        "scratch": tmp_path / "scratch",
        "label": "relance.run=test",
        "environment": {"LANG": "C.UTF-8"},
        "images": {"/images/toy.sqsh": "/environments/toy/bin"},
        **changes,
    }
    standin.install(standin.StandIn(**parts), tmp_path / "bin")
    return tmp_path / "bin" / "apptainer"


def answer(command: Path, *arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([command, *arguments], capture_output=True, text=True, check=False, **options)


def test_snakemake_s_call_becomes_a_container_with_its_folders() -> None:
    given = [
        "--home",
        "/analysis",
        "--bind",
        "/cache",
        "--bind=/a:/b:ro,/c",
        "/images/fit.sqsh",
        "bash",
        "-c",
        "x y",
    ]
    line = program.container_command(settings(fit=DIGEST), program.Call(given), "relance-1")
    text = " ".join(line)
    assert line[:4] == ["/usr/bin/podman", "run", "--rm", "--name"]
    assert line[-4:] == ["bash", DIGEST, "-c", "x y"]
    for part in (
        "--network none",
        "--user 0:0",
        "--label run=1",
        "--env LANG=C.UTF-8",
        "--workdir /analysis",
    ):
        assert part in text
    for mount in (
        "/analysis:/analysis",
        "/cache:/cache",
        "/a:/b:ro",
        "/c:/c",
        "/s/home:/home/relance",
        "/s/tmp:/tmp",
    ):
        assert f"--volume {mount}" in text
    assert text.count("/analysis:/analysis") == 1


def test_a_shadow_folder_is_where_the_job_works() -> None:
    call = program.Call(
        ["--home", "/analysis", "--pwd", "/analysis/.snakemake/shadow/x", "/i", "bash", "-c", "true"]
    )
    assert call.folder == "/analysis/.snakemake/shadow/x"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--rocm", "yes", "/i", "bash"], "--rocm"),
        (["--bind"], "lacks its value"),
        (["/i"], "expected an image and a command"),
    ],
)
def test_a_call_that_is_not_understood_is_refused(arguments: list[str], message: str) -> None:
    with pytest.raises(program.RefusedCallError, match=message):
        program.Call(arguments)


def test_an_unknown_image_is_refused_by_name() -> None:
    with pytest.raises(
        program.RefusedCallError, match=r"gen.sqsh' is not known on this machine \(known: /images/fit"
    ):
        program.image_target(settings(fit=DIGEST), "/images/gen.sqsh")


def test_an_image_of_a_registry_goes_to_the_engine_but_not_to_plain_processes() -> None:
    written = f"docker://registry.example/fit@{DIGEST}"
    assert program.image_target(settings("docker"), written) == f"registry.example/fit@{DIGEST}"
    with pytest.raises(program.RefusedCallError):
        program.image_target(settings("plain"), written)


def test_both_names_answer_with_a_version_that_snakemake_takes(tmp_path: Path) -> None:
    command = install(tmp_path)
    for name in ("apptainer", "singularity"):
        assert answer(command.with_name(name), "--version").stdout.startswith("apptainer version 1.")


def test_a_plain_job_sees_only_the_environment_that_is_meant_for_it(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": "/evil", "SECRET_TOKEN": "x", "LD_PRELOAD": ""}
    command = install(tmp_path)
    folder = str(tmp_path / "analysis")
    done = answer(command, "exec", "--home", folder, "/images/toy.sqsh", "env", env=environment)
    assert sorted(done.stdout.splitlines()) == sorted(
        [
            f"HOME={tmp_path}/scratch/home",
            "LANG=C.UTF-8",
            "PATH=/environments/toy/bin:/usr/local/bin:/usr/bin:/bin",
            f"TMPDIR={tmp_path}/scratch/tmp",
        ]
    )


def test_a_plain_job_works_in_the_analysis_and_passes_its_status_on(tmp_path: Path) -> None:
    command = install(tmp_path)
    arguments = [
        "exec",
        "--home",
        str(tmp_path / "analysis"),
        "/images/toy.sqsh",
        "bash",
        "-c",
        "pwd; exit 7",
    ]
    done = answer(command, *arguments, cwd=tmp_path)
    assert (done.stdout.strip(), done.returncode) == (str(tmp_path / "analysis"), 7)


def test_the_memory_of_a_plain_job_is_noted_by_what_its_command_says(tmp_path: Path) -> None:
    command = install(tmp_path, memory=tmp_path / "memory.tsv")
    step = "x=$(head -c 40000000 /dev/zero | tr '\\0' x); echo ${#x}"
    for text in (f"set -euo pipefail;  {step}", "exit 3"):
        answer(command, "exec", "/images/toy.sqsh", "bash", "-c", text)
    (large, most), (small, least) = (
        line.split("\t") for line in (tmp_path / "memory.tsv").read_text().splitlines()
    )
    assert (large, small) == (measured.digest(f"\n  {step} "), measured.digest("exit 3"))
    assert 40_000_000 < int(most) < 1 << 30
    assert int(least) < int(most)


def test_apptainer_itself_gets_every_call_as_it_is(tmp_path: Path) -> None:
    engine = tmp_path / "real"
    engine.write_text('#!/bin/sh\necho "$@"\nexit 5\n')
    engine.chmod(0o755)
    command = install(tmp_path, RuntimeKind.APPTAINER, program=engine, memory=tmp_path / "memory.tsv")
    for call in (["--version"], ["-q", "pull", "--name", "x"], ["exec", "--rocm", "/i", "sh", "-c", "a  b"]):
        done = answer(command, *call)
        assert (done.stdout, done.returncode) == (f"{' '.join(call)}\n", 5)
    assert (tmp_path / "memory.tsv").read_text().startswith(f"{measured.digest('a  b')}\t")


def test_a_signal_for_a_job_leaves_who_measures_it_waiting(tmp_path: Path) -> None:
    started, note = tmp_path / "started", tmp_path / "memory.tsv"
    step = f"trap 'exit 9' TERM; touch {started}; while :; do sleep 0.05; done"
    line = [sys.executable, "-I", "-S", measured.__file__, str(note), "key", "bash", "-c", step]
    with subprocess.Popen(line, start_new_session=True) as job:
        while not started.exists():
            assert job.poll() is None
        os.killpg(job.pid, 15)
        assert job.wait(60) == 9
    assert note.read_text().startswith("key\t")


def test_a_file_that_no_pull_wrote_is_an_image_and_is_not_read_out(tmp_path: Path) -> None:
    image = tmp_path / "other.sif"
    image.write_bytes(b"hsqs\x00\x1b[31mnot for a terminal")
    done = answer(install(tmp_path), "exec", str(image), "bash", "-c", "true")
    assert done.returncode == 255
    assert "other.sif' is not known" in done.stderr
    assert "terminal" not in done.stderr


def test_a_pulled_image_stands_for_what_was_pulled(tmp_path: Path) -> None:
    command = install(tmp_path, images={"docker://relance/toy": "/environments/toy/bin"})
    assert answer(command, "pull", "--name", "x.simg", "docker://relance/toy", cwd=tmp_path).returncode == 0
    done = answer(command, "exec", str(tmp_path / "x.simg"), "bash", "-c", "echo ${PATH%%:*}")
    assert done.stdout.strip() == "/environments/toy/bin"
    assert not list(tmp_path.glob("*.part"))


def test_an_unknown_image_is_not_pulled(tmp_path: Path) -> None:
    done = answer(install(tmp_path), "pull", "--name", "x.simg", "docker://other/image", cwd=tmp_path)
    assert done.returncode == 255
    assert "docker://other/image" in done.stderr
    assert not (tmp_path / "x.simg").exists()


def test_other_commands_of_apptainer_are_refused(tmp_path: Path) -> None:
    done = answer(install(tmp_path), "build", "x")
    assert (done.returncode, done.stdout) == (255, "")
    assert "only --version, pull and exec are known, found build x" in done.stderr


@pytest.mark.parametrize(
    ("runtime", "options"),
    [
        (Runtime(RuntimeKind.PODMAN, "4", rootless=False), ["--user", "1000:100", "--http-proxy=false"]),
        (Runtime(RuntimeKind.PODMAN, "4", rootless=True), ["--userns=keep-id", "--user", "1000:100"]),
        (Runtime(RuntimeKind.DOCKER, "20"), ["--user", "1000:100"]),
    ],
)
def test_files_belong_to_the_caller(tmp_path: Path, runtime: Runtime, options: list[str]) -> None:
    install(tmp_path, runtime=runtime, program=Path("/usr/bin/x"), user=(1000, 100))
    read = program.Settings((tmp_path / "bin" / "settings.tsv").read_text())
    assert read.options[: len(options)] == options


@pytest.mark.parametrize("name", ["a\tb", "a\nb", "a:b", "a,b"])
def test_a_folder_that_cannot_be_mounted_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="can't be mounted"):
        install(tmp_path, RuntimeKind.DOCKER, folder=tmp_path / name, program=Path("/usr/bin/docker"))


def test_a_space_in_a_path_does_no_harm(tmp_path: Path) -> None:
    folder = tmp_path / "my analysis"
    folder.mkdir()
    command = install(folder, folder=folder)
    assert answer(command, "exec", "--home", str(folder), "/images/toy.sqsh", "pwd").stdout.strip() == str(
        folder
    )


FAKE_ENGINE = """#!{python} -IS
import os, sys, time
with open({log!r}, "a") as log:
    print(*sys.argv[1:3], file=log, flush=True)
if sys.argv[1] == "run":
    open({started!r}, "w").close()
    time.sleep(60)
"""


@pytest.mark.parametrize("number", [2, 15])
def test_an_interrupted_job_leaves_no_container(tmp_path: Path, number: int) -> None:
    log, started = tmp_path / "log", tmp_path / "started"
    engine = tmp_path / "podman"
    engine.write_text(FAKE_ENGINE.format(python=sys.executable, log=str(log), started=str(started)))
    engine.chmod(0o755)
    images = {"/images/toy.sqsh": DIGEST}
    command = install(tmp_path, RuntimeKind.PODMAN, program=engine, images=images)
    with subprocess.Popen([command, "exec", "/images/toy.sqsh", "bash", "-c", "sleep 60"]) as job:
        while not started.exists():
            assert job.poll() is None
        job.send_signal(number)
        assert job.wait(60) == 128 + number
    assert "rm --force" in log.read_text()
