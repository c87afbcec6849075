"""What jobs are shown of what nobody can keep: CVMFS, a grid proxy, Kerberos tickets; all of it read-only.

A credential has the same name in every container, and its own only in a link in the run's scratch folder,
which the run removes at its end: neither its path nor its content gets into what a run leaves.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from relance.errors import MissingPartError
from relance.specification.model import Outside

INSIDE = "/run/relance"
"""Where containers have credentials."""
_NETWORKED = {"voms", "kerberos", "network", "conditions-database"}


@dataclass(frozen=True)
class Mounted:
    """A file or folder of this machine that a container is shown, read-only."""

    source: Path
    target: str
    secret: bool = False


@dataclass(frozen=True)
class Shown:
    """What the jobs of a run are shown."""

    mounts: tuple[Mounted, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)
    """Environment variables in containers."""
    plain: Mapping[str, str] = field(default_factory=dict)
    """Environment variables of plain processes."""
    network: bool = False
    """Whether containers have this machine's network."""

    @property
    def told(self) -> str:
        """It in words; empty if there is nothing."""
        names = [mount.target for mount in self.mounts if not mount.secret]
        names += [f"${name}" for name in self.variables]
        return ", ".join([*names, *(["the network"] if self.network else [])])

    def linked(self, scratch: Path) -> tuple[Mounted, ...]:
        """Return the mounts, those of credentials by links that are made in a run's scratch folder."""
        found = []
        for mount in self.mounts:
            source = mount.source
            if mount.secret:
                source = scratch / "shown" / Path(mount.target).name
                source.parent.mkdir(parents=True, exist_ok=True)
                if not source.is_symlink():
                    source.symlink_to(mount.source)
            found.append(Mounted(source, mount.target, mount.secret))
        return tuple(found)


def shown(
    needs: Sequence[Outside],
    outer: Mapping[str, str],
    *,
    cvmfs: Path = Path("/cvmfs"),
    settings: Path = Path("/etc/krb5.conf"),
) -> Shown:
    """Return what the jobs of an analysis are shown of what its specification says that it needs.

    Args:
        needs: what it needs.
        outer: environment variables of the caller.
        cvmfs: where this machine has CVMFS.
        settings: those of Kerberos, shown beside tickets if they are there.

    Raises:
        MissingPartError: something isn't there; what to do is told.
    """
    kinds = {one.kind for one in needs}
    missing = list(_missing(kinds, outer, cvmfs))
    if missing:
        first, *others = missing
        first.also = tuple(others)
        raise first
    mounts: list[Mounted] = []
    variables, plain = {}, {}
    if "cvmfs" in kinds:
        mounts.append(Mounted(cvmfs, "/cvmfs"))
    if "voms" in kinds:
        proxy = _proxy(outer)
        mounts.append(Mounted(proxy, f"{INSIDE}/proxy", secret=True))
        variables["X509_USER_PROXY"], plain["X509_USER_PROXY"] = f"{INSIDE}/proxy", str(proxy)
    if "kerberos" in kinds:
        tickets = _tickets(outer)
        mounts.append(Mounted(tickets, f"{INSIDE}/tickets", secret=True))
        variables["KRB5CCNAME"], plain["KRB5CCNAME"] = f"FILE:{INSIDE}/tickets", f"FILE:{tickets}"
        if settings.is_file():
            mounts.append(Mounted(settings, "/etc/krb5.conf"))
    return Shown(tuple(mounts), variables, plain, network=bool(kinds & _NETWORKED))


def _missing(kinds: set[str], outer: Mapping[str, str], cvmfs: Path) -> Iterator[MissingPartError]:
    if "cvmfs" in kinds and not cvmfs.is_dir():
        yield MissingPartError(
            "the analysis needs CVMFS",
            expected=f"a folder {cvmfs}",
            found="none",
            next_step="mount it (cvmfs.readthedocs.io, or cvmfsexec without root's rights)",
        )
    if "voms" in kinds and not os.access(_proxy(outer), os.R_OK):
        yield MissingPartError(
            "the analysis needs a grid proxy",
            expected="a file that X509_USER_PROXY names",
            found="none that can be read",
            next_step="make one: voms-proxy-init -voms EXPERIMENT, then export X509_USER_PROXY=FILE",
        )
    if "kerberos" in kinds and not os.access(_tickets(outer), os.R_OK):
        kept = outer.get("KRB5CCNAME", "")
        elsewhere = ":" in kept and not kept.startswith("FILE:")
        yield MissingPartError(
            "the analysis needs Kerberos tickets",
            expected="a file that KRB5CCNAME names",
            found=f"tickets of the kind {kept.partition(':')[0]}" if elsewhere else "none that can be read",
            next_step="get them into a file: export KRB5CCNAME=FILE:$HOME/.tickets, then kinit USER@REALM",
        )


def _proxy(outer: Mapping[str, str]) -> Path:
    return Path(outer.get("X509_USER_PROXY") or f"/tmp/x509up_u{os.getuid()}")  # noqa: S108 - its usual place


def _tickets(outer: Mapping[str, str]) -> Path:
    usual = f"/tmp/krb5cc_{os.getuid()}"  # noqa: S108 - their usual place
    return Path((outer.get("KRB5CCNAME") or usual).removeprefix("FILE:"))
