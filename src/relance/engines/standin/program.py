"""Answers for the command `apptainer`, so that Podman, Docker or plain processes can run Snakemake's jobs.

Snakemake calls three things of that command, and this program knows no more (it passes everything on to the
real Apptainer, if that is the engine, and only notes the memory of its jobs):

    apptainer --version
    apptainer pull --name FILE URL
    apptainer exec [--home DIR] [--bind SOURCE[:TARGET[:MODE]]]… [--pwd DIR] IMAGE SHELL -c COMMAND

It is run by path, without relance or any other package in reach, once a job: hence only the standard library,
and as little of that as can be (its start is part of every job's time). The first argument is a file of
settings that `relance.engines.standin.install` wrote, lines of tab-separated fields:

    engine  apptainer|podman|docker|plain|broker
    program PATH                      of apptainer, podman or docker
    memory  PATH                      gets a line for each job (`measured.py`); without it nothing is noted
    socket  PATH                      where the broker answers, outside of the sandbox that this runs in
    option  TEXT                      one more option of `podman run` or `docker run`
    folder  DIRECTORY                 mounted read-write at the same path
    scratch DIRECTORY                 holds `home` and `tmp`, for HOME and TMPDIR
    label   TEXT                      marks this run's containers
    network TEXT                      what containers see of it; none if left out
    env     NAME VALUE                the same for every job
    image   WRITTEN TARGET            TARGET: an image's digest, the folder of an environment's programs, or,
                                      for the broker, WRITTEN again
"""

from __future__ import annotations

import os
import sys

if __name__ != "__main__":
    from relance.engines.standin import measured
else:  # run by path, it belongs to no package
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    import measured  # type: ignore[import-not-found,no-redef]

VERSION = "apptainer version 1.4.0"  # what Snakemake is told; it asks for 1.0.0 or newer
HOME_INSIDE = "/home/relance"
SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin"

# Options of `apptainer exec` that take a value and mean nothing here: the stand-in isolates anyway.
_IGNORED_WITH_VALUE = {"--network", "--env", "--workdir", "-W", "--scratch", "-S"}
_IGNORED = {"--containall", "-C", "--cleanenv", "-e", "--no-home", "--quiet", "--silent", "-q", "-s", "--nv"}


class RefusedCallError(Exception):
    """The call can't be answered; the text says why."""


class Settings:
    """What the run decided, read from the settings file."""

    def __init__(self, text: str) -> None:
        self.single: dict[str, str] = {}
        self.options: list[str] = []
        self.folders: list[str] = []
        self.environment: list[tuple[str, str]] = []
        self.images: dict[str, str] = {}
        for line in text.splitlines():
            key, *values = line.split("\t")
            if key == "option":
                self.options.append(values[0])
            elif key == "folder":
                self.folders.append(values[0])
            elif key == "env":
                self.environment.append((values[0], values[1]))
            elif key == "image":
                self.images[values[0]] = values[1]
            else:
                self.single[key] = values[0]


class Call:
    """The arguments of `apptainer exec`."""

    def __init__(self, arguments: list[str]) -> None:
        self.binds: list[str] = []
        self.folder = ""
        rest = list(arguments)
        while rest and rest[0].startswith("-"):
            option, given, value = rest.pop(0).partition("=")
            if option in _IGNORED:
                continue
            if not given:
                if not rest:
                    raise RefusedCallError(f"the option {option} lacks its value")
                value = rest.pop(0)
            if option in {"--bind", "-B"}:
                self.binds.extend(value.split(","))
            elif option in {"--home", "-H", "--pwd", "--cwd"}:
                self.folder = value.partition(":")[0]
            elif option not in _IGNORED_WITH_VALUE:
                raise RefusedCallError(
                    f"the option {option} of apptainer is not known to relance's stand-in for it"
                )
        if len(rest) < 2:
            raise RefusedCallError("expected an image and a command")
        self.image, *self.command = rest


def image_target(settings: Settings, written: str) -> str:
    """Return what `written`, the IMAGE of a call, stands for: see the settings' `image`.

    A pulled image is a small text file that holds what was pulled.
    """
    if written not in settings.images and os.path.isfile(written):  # pathlib starts slowly
        with open(written, encoding="utf-8", errors="replace") as stream:
            pulled = stream.read(4096).strip()
        if pulled in settings.images or pulled.startswith("docker://"):  # else it is an image itself
            written = pulled
    if written in settings.images:
        return settings.images[written]
    if written.startswith("docker://") and settings.single["engine"] in {"podman", "docker"}:
        return written.removeprefix("docker://")
    known = ", ".join(sorted(settings.images)) or "none"
    raise RefusedCallError(f"the image {written!r} is not known on this machine (known: {known})")


def mounts_of(settings: Settings, call: Call) -> list[str]:
    """Return what a call's container is shown of the machine: the analysis, and what the call binds."""
    folder = call.folder or os.getcwd()
    mounts = [f"{path}:{path}" for path in dict.fromkeys([*settings.folders, folder])]
    return mounts + [bind if ":" in bind else f"{bind}:{bind}" for bind in call.binds]


def container_command(
    settings: Settings, call: Call, name: str, mounts: list[str] | None = None
) -> list[str]:
    """Return the command line that runs a call in Podman or Docker, in a container of this name.

    `mounts`, as `--volume` takes them, are shown to it instead of what the call asks for.
    """
    scratch = settings.single["scratch"]
    arguments = [
        settings.single["program"],
        "run",
        "--rm",
        "--name",
        name,
        "--label",
        settings.single["label"],
    ]
    # The host name would be a random one, and SELinux would refuse the folders without being relabelled.
    arguments += [
        "--network",
        settings.single.get("network", "none"),
        "--hostname",
        "relance",
        "--security-opt",
        "label=disable",
    ]
    arguments += settings.options
    folder = call.folder or os.getcwd()
    mounts = mounts_of(settings, call) if mounts is None else mounts
    for mount in [*mounts, f"{scratch}/home:{HOME_INSIDE}", f"{scratch}/tmp:/tmp"]:
        arguments += ["--volume", mount]
    environment = [("HOME", HOME_INSIDE), ("TMPDIR", "/tmp"), *settings.environment]  # the container's own
    for key, value in environment:
        arguments += ["--env", f"{key}={value}"]
    shell, *command = call.command
    return [
        *arguments,
        "--workdir",
        folder,
        "--entrypoint",
        shell,
        image_target(settings, call.image),
        *command,
    ]


def plain_environment(settings: Settings, programs: str) -> dict[str, str]:
    """Return the whole environment of a job that runs as a plain process with `programs` first on PATH."""
    scratch = settings.single["scratch"]
    return {
        "PATH": f"{programs}:{SYSTEM_PATH}",
        "HOME": f"{scratch}/home",
        "TMPDIR": f"{scratch}/tmp",
        **dict(settings.environment),
    }


def map_script(call: Call) -> None:
    """Let the script of a `script:` rule find what a container would have been shown at another path.

    Snakemake writes where its own modules will be mounted into a temporary copy of the script.
    """
    binds = [bind.split(":") for bind in call.binds]
    moved = [(bind[0], bind[1]) for bind in binds if len(bind) > 1 and not os.path.exists(bind[1])]
    if not moved:
        return
    import shlex

    for word in shlex.split(call.command[-1]):
        if "/.snakemake/scripts/" in word and os.path.isfile(word):
            with open(word, encoding="utf-8") as stream:
                text = stream.read()
            for source, target in moved:
                text = text.replace(repr(target), repr(source))
            with open(word, "w", encoding="utf-8") as stream:
                stream.write(text)


def execute(settings: Settings, arguments: list[str]) -> int:
    """Run one job and return its exit status."""
    call = Call(arguments)
    if settings.single["engine"] == "broker":
        return ask(settings, call)
    if settings.single["engine"] == "plain":
        programs = image_target(settings, call.image)
        map_script(call)
        if call.folder:
            os.chdir(call.folder)
        environment = plain_environment(settings, programs)
        return measured.run(call.command, environment, settings.single.get("memory", ""))
    return _contain(settings, call)


def _contain(settings: Settings, call: Call) -> int:
    """Run a call in a container, and remove the container when a signal ends this process."""
    import signal

    name = f"relance-{os.getpid()}-{os.urandom(4).hex()}"
    command = container_command(settings, call, name)
    # Podman would wait ten seconds for a shell that, being process 1, does not heed SIGTERM.
    at_once = ["--time", "0"] if settings.single["engine"] == "podman" else []
    measured.adopt(command[0])
    engine = os.posix_spawn(command[0], command, os.environ)

    def stop(number: int, _: object) -> None:
        # Once is enough; a second signal must not cut the removal short.
        for other in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(other, signal.SIG_IGN)
        quiet = [(os.POSIX_SPAWN_OPEN, descriptor, "/dev/null", os.O_RDWR, 0) for descriptor in (1, 2)]
        removal = [command[0], "rm", "--force", *at_once, name]
        for _attempt in range(2):  # the first may come before the container is there
            os.waitpid(os.posix_spawn(removal[0], removal, os.environ, file_actions=quiet), 0)
            os.kill(engine, signal.SIGTERM)
        os._exit(128 + number)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)
    noted = measured.key(call.command)
    status, peak = measured.wait(engine, command[0])
    measured.note(settings.single.get("memory", ""), noted, peak)
    return os.waitstatus_to_exitcode(status) % 256


def ask(settings: Settings, call: Call) -> int:
    """Let the broker run a call; what the job prints comes back over the connection, then its status.

    A message is its length in four bytes, the highest first, and as many bytes; those that come back begin
    with the number of the stream they belong to, or with 0 before the status.
    """
    import socket

    fields = [call.folder or os.getcwd(), image_target(settings, call.image), *call.binds, "", *call.command]
    message = b"\0".join(map(os.fsencode, fields))
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        folder, name = os.path.split(settings.single["socket"])
        # The path of a socket may have 107 bytes; that of a folder's descriptor is short.
        descriptor = os.open(folder, os.O_RDONLY)
        connection.connect(f"/proc/self/fd/{descriptor}/{name}")
        os.close(descriptor)
        connection.sendall(len(message).to_bytes(4, "big") + message)
        with connection.makefile("rb") as stream:
            while True:
                size = int.from_bytes(stream.read(4), "big")
                answer = stream.read(size)
                if not answer or len(answer) < size:
                    raise RefusedCallError("the run is ending")
                if answer[0] == 0:
                    return int(answer[1:])
                _write(answer[0], answer[1:])


def _write(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]


def pull(settings: Settings, arguments: list[str]) -> int:
    """Answer `pull --name FILE URL`: fetch the image, and write FILE, which stands for it from now on."""
    if len(arguments) != 3 or arguments[0] != "--name":
        raise RefusedCallError(f"expected pull --name FILE URL, found pull {' '.join(arguments)}")
    _, file, url = arguments
    target = image_target(settings, url)
    if settings.single["engine"] in {"podman", "docker"}:
        program = settings.single["program"]
        quiet = [(os.POSIX_SPAWN_OPEN, 1, "/dev/null", os.O_WRONLY, 0)]
        for command in ([program, "image", "inspect", target], [program, "pull", target]):
            process = os.posix_spawn(program, command, os.environ, file_actions=quiet)
            if os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 0:
                break
        else:
            raise RefusedCallError(f"{program} could not pull {target}")
    temporary = f"{file}.part"
    with open(temporary, "w", encoding="utf-8") as stream:
        stream.write(url)
    os.replace(temporary, file)
    return 0


def _answer(settings: Settings, given: list[str]) -> int:
    if given[:1] == ["exec"]:
        return execute(settings, given[1:])
    if given[:1] == ["pull"]:
        return pull(settings, given[1:])
    raise RefusedCallError(f"only --version, pull and exec are known, found {' '.join(given) or 'nothing'}")


def _pass_on(settings: Settings, given: list[str]) -> int:
    """Let the real Apptainer answer; the memory of a job is noted."""
    command = [settings.single["program"], *given]
    if given[-2:-1] == ["-c"]:
        return measured.run(command, dict(os.environ), settings.single.get("memory", ""))
    os.execv(command[0], command)
    return 0  # never: this process has become Apptainer


def _refused(error: Exception) -> int:
    sys.stderr.write(f"relance: {error}\n")
    return 255


def main(arguments: list[str]) -> int:
    """Answer one call: `arguments` are the settings file and what `apptainer` was given."""
    settings_file, *given = arguments
    try:
        with open(settings_file, encoding="utf-8") as stream:
            settings = Settings(stream.read())
    except OSError as error:
        return _refused(error)
    if settings.single["engine"] == "apptainer":
        return _pass_on(settings, given)
    while given and given[0] in _IGNORED:
        given.pop(0)
    if given == ["--version"]:
        sys.stdout.write(f"{VERSION}\n")
        return 0
    try:
        return _answer(settings, given)
    except (RefusedCallError, OSError) as error:
        return _refused(error)
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
