"""The root of a sandbox: a tree with nothing in it but places for what is mounted."""

from __future__ import annotations

import hashlib
import io
import json
import platform
import tarfile
from pathlib import Path

from relance.model import Digest

HOME = "/home/relance"
TEMPORARY = "/tmp"  # noqa: S108 - the container has one of its own

_FOLDERS = ("dev", "etc", "home", "home/relance", "proc", "run", "sys", "tmp", "usr", "var", "var/tmp")
_TOP = ("bin", "lib", "lib32", "lib64", "libx32", "sbin")


def links() -> dict[str, str]:
    """Return the names at the top that are links on this machine, such as `/bin`, and where they lead."""
    return {name: str(Path("/", name).readlink()) for name in _TOP if Path("/", name).is_symlink()}


def top_folders() -> tuple[Path, ...]:
    """Return the folders of programs and libraries at the top of this machine that are no links."""
    found = (Path("/", name) for name in ("usr", *_TOP))
    return tuple(path for path in found if path.is_dir() and not path.is_symlink())


def make_folder(path: Path, user: tuple[int, int]) -> None:
    """Make a root in a new folder; its one user has the ids `user`."""
    for name in _FOLDERS:
        (path / name).mkdir(parents=True, exist_ok=True)
    for name, target in links().items():
        (path / name).symlink_to(target)
    for name, text in _users(user).items():
        (path / "etc" / name).write_text(text, encoding="utf-8")


def archive(user: tuple[int, int]) -> tuple[bytes, Digest]:
    """Return a root as `docker load` takes it, always the same bytes, and the digest Docker knows it by."""
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name in _FOLDERS:
            entry = tarfile.TarInfo(name)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(entry)
        for name, target in sorted(links().items()):
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = tarfile.SYMTYPE, target
            tar.addfile(entry)
        for name, text in sorted(_users(user).items()):
            _add(tar, f"etc/{name}", text.encode())
    content = layer.getvalue()
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    rootfs = {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(content).hexdigest()}"]}
    settings = {"architecture": machine, "os": "linux", "config": {}, "rootfs": rootfs}
    config = json.dumps(settings, sort_keys=True).encode()
    known = hashlib.sha256(config).hexdigest()
    manifest = [{"Config": f"{known}.json", "RepoTags": None, "Layers": ["layer.tar"]}]
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w", format=tarfile.PAX_FORMAT) as tar:
        _add(tar, f"{known}.json", config)
        _add(tar, "layer.tar", content)
        _add(tar, "manifest.json", json.dumps(manifest).encode())
    return whole.getvalue(), Digest(f"sha256:{known}")


def _users(user: tuple[int, int]) -> dict[str, str]:
    number, group = user
    return {
        "passwd": f"relance:x:{number}:{group}::{HOME}:/bin/sh\n",
        "group": f"relance:x:{group}:\n",
    }


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), 0o644
    tar.addfile(entry, io.BytesIO(content))
