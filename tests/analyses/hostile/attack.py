"""Tries to see and reach what a sandbox must hide; says of each attempt what came of it."""

import os
import socket
from pathlib import Path


def _attempt(action):
    try:
        found = action()
    except (OSError, ValueError) as error:
        return f"nothing: {type(error).__name__}"
    return "nothing: no trace" if found in (None, "", []) else f"FOUND {found!r}"


def _read(path):
    return Path(path).read_bytes()[:40] or "an empty file"


def _write(path):
    with Path(path).open("a") as stream:
        stream.write("")
    return "it can be written"


def _connect(family, address):
    with socket.socket(family, socket.SOCK_STREAM) as connection:
        connection.settimeout(3)
        connection.connect(address)
    return "it answered"


def _environments(token):
    found = [name for name, value in os.environ.items() if token in value]
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            if token.encode() in path.read_bytes():
                found.append(str(path))
        except OSError:
            pass
    return found


def _strangers(marker):
    paths = list(Path("/proc").glob("[0-9]*/cmdline"))
    return [str(path) for path in paths if path.exists() and marker.encode() in path.read_bytes()]


def _list(path):
    return [item.name for item in Path(path).iterdir()]


def attempts(config):
    """Return what came of every attempt; each must begin with 'nothing'."""
    # A folder of this name may be there, which is another one: whether the file was reached shows outside.
    _attempt(lambda: Path(config["target"]).write_text("altered"))
    sockets = ["/var/run/docker.sock", "/run/docker.sock", "/run/podman/podman.sock", config["socket"]]
    tried = {
        "home": _attempt(lambda: _list(config["home"])),
        "a secret in it": _attempt(lambda: _read(config["secret"])),
        "a token of the environment": _attempt(lambda: _environments(config["token"])),
        "passwords": _attempt(lambda: _read("/etc/shadow")),
        "a server": _attempt(lambda: _connect(socket.AF_INET, ("127.0.0.1", config["port"]))),
        "an abstract socket": _attempt(lambda: _connect(socket.AF_UNIX, "\0" + config["abstract"])),
        "another's process": _attempt(lambda: _strangers(config["marker"])),
        "a signal to it": _attempt(lambda: os.kill(config["pid"], 0) or "it is there"),
        "a new device": _attempt(lambda: os.mknod("device", 0o20666, os.makedev(1, 1)) or "made"),
    }
    for path in sockets:
        tried[f"socket {path}"] = _attempt(lambda path=path: _connect(socket.AF_UNIX, path))
    for path in ("/usr/x", "/etc/x", "/x", os.__file__, "/proc/sys/kernel/core_pattern"):
        tried[f"writing {path}"] = _attempt(lambda path=path: _write(path))
    return tried
