"""The base image: a pinned public one; where no registry answers, Debian made from its packages."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from relance.errors import AnalysisError, MissingPartError
from relance.store.configuration import Settings
from relance.store.importing import remote
from relance.store.layout import Layout
from relance.store.normalise import Image, assemble
from relance.store.registry.reference import Reference
from relance.store.registry.refusals import RefusedError
from relance.store.registry.session import Access, answers

SUITE = "bookworm"
"""The Debian release whose Python is the one that envs/ is locked for."""

_NAME = f"base/debian-{SUITE}-python3.11"
# usr-is-merged stands in for usrmerge, which would bring all of Perl.
_PACKAGES = ("python3", "python3-venv", "libstdc++6", "libgomp1", "bash", "ca-certificates", "usr-is-merged")
_HOOKS = Path("/usr/share/mmdebstrap/hooks/maybe-merged-usr")
_UNREAD = tuple(f"/usr/share/{name}/*" for name in ("doc", "man", "info", "locale", "lintian"))
_KEPT = ("/usr/share/doc/*/copyright",)

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def present(layout: Layout) -> Image | None:
    """Return the Debian base that was made before, if any."""
    manifest = layout.names().get(_NAME)
    return None if manifest is None else Image.read(layout, manifest)


def bootstrap(layout: Layout, say: Callable[[str], None]) -> Image:
    """Make the Debian base from its packages with mmdebstrap and store it.

    The archive asked is the system's own where that is Debian, else mmdebstrap's default. The same packages
    give the same image.

    Raises:
        MissingPartError: mmdebstrap is not there.
        AnalysisError: mmdebstrap failed.
    """
    if shutil.which("mmdebstrap") is None:
        raise MissingPartError(
            "no base image",
            expected="a registry that answers, or the program mmdebstrap",
            found="neither",
            next_step="connect to the network, or install mmdebstrap (a package of Debian and Ubuntu)",
        )
    say(f"making a Debian base with mmdebstrap ({SUITE}; about half a minute)")
    with tempfile.TemporaryDirectory() as folder:
        tar = Path(folder) / "base.tar"
        command = ["mmdebstrap", "--quiet", "--variant=essential", f"--include={','.join(_PACKAGES)}"]
        command += ["--aptopt=Apt::Install-Recommends false"]
        command += [f"--dpkgopt=path-exclude={pattern}" for pattern in _UNREAD]
        command += [f"--dpkgopt=path-include={pattern}" for pattern in _KEPT]
        if _HOOKS.is_dir():
            command.append(f"--hook-dir={_HOOKS}")
        command += [SUITE, str(tar)]
        sources = _sources()
        if sources:
            command.append("-")
        # Dates that packages write into files, such as /etc/shadow, are those of 2 January 1970.
        environment = os.environ | {"SOURCE_DATE_EPOCH": "86400"}
        done = subprocess.run(
            command, input=sources, capture_output=True, text=True, check=False, env=environment
        )
        if done.returncode != 0:
            raise AnalysisError(
                "the Debian base can't be made",
                expected="mmdebstrap to end well",
                found=f"exit status {done.returncode}: {_last_line(done.stderr)}",
                next_step="check that apt's configuration names a Debian archive that answers",
            )
        settings = Settings({"PATH": _PATH, "LANG": "C.UTF-8"}, ("bash",))
        with tar.open("rb") as stream:
            image = assemble(layout, None, stream, settings, architecture=architecture())
    layout.name(_NAME, image.manifest)
    return image


def obtain(
    layout: Layout, wanted: str, pinned: str, say: Callable[[str], None], access: Access | None = None
) -> Image:
    """Return the base image that `wanted` asks for, from the store where it is there already.

    wanted: `debian`, a reference in a registry by digest, or `auto`: the pinned reference if it is there or
        its registry answers quickly, else Debian.

    Raises:
        InputError: a reference is not pinned.
        MissingPartError: it can't be had.
        AnalysisError: mmdebstrap failed.
    """
    if wanted == "debian":
        return present(layout) or bootstrap(layout, say)
    reference = Reference.pinned(pinned if wanted == "auto" else wanted)
    name = f"base/{reference}"
    manifest = layout.names().get(name)
    if manifest is not None:
        return Image.read(layout, manifest)
    if wanted == "auto" and not answers(reference):
        say(f"{reference.host} does not answer; the base is Debian's own packages instead")
        return present(layout) or bootstrap(layout, say)
    say(f"pulling the base {reference}")
    try:
        image = remote.pull(layout, reference, architecture(), access or Access()).image
    except (MissingPartError, RefusedError) as error:
        error.next_step += "; or build with '--base debian'"
        raise
    layout.name(name, image.manifest)
    return image


def architecture() -> str:
    """Return this machine's processor as OCI names it."""
    machine = platform.machine()
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(machine, machine)


def _sources() -> str:
    """Return apt source lines for the base's suite at the archives that this Debian uses; empty elsewhere."""
    if shutil.which("apt-get") is None:
        return ""
    fields = "$(REPO_URI)|$(COMPONENT)|$(LABEL)"
    done = subprocess.run(
        ["apt-get", "indextargets", "--format", fields, "Created-By: Packages"],
        capture_output=True,
        text=True,
        check=False,
    )
    found: dict[str, str] = {}
    for line in done.stdout.splitlines():
        uri, component, label = line.split("|")
        if component == "main":
            found.setdefault(label, uri)
    if "Debian" not in found:
        return ""
    lines = [f"deb {found['Debian']} {SUITE} main", f"deb {found['Debian']} {SUITE}-updates main"]
    if "Debian-Security" in found:
        lines.append(f"deb {found['Debian-Security']} {SUITE}-security main")
    return "\n".join([*lines, ""])


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1] if lines else "it said nothing"
