"""Layers written by hand for tests, hostile ones too."""

import io
import tarfile
from dataclasses import dataclass


@dataclass(frozen=True)
class Member:
    name: str
    type: bytes = tarfile.REGTYPE
    data: bytes = b""
    target: str = ""
    mode: int = 0o644
    uid: int = 0
    gid: int = 0


def file(name: str, data: bytes = b"", mode: int = 0o644) -> Member:
    return Member(name, data=data, mode=mode)


def folder(name: str, mode: int = 0o755) -> Member:
    return Member(name, tarfile.DIRTYPE, mode=mode)


def link(name: str, target: str) -> Member:
    return Member(name, tarfile.SYMTYPE, target=target)


def hard_link(name: str, target: str) -> Member:
    return Member(name, tarfile.LNKTYPE, target=target)


def layer(*members: Member, time: int = 0) -> io.BytesIO:
    output = io.BytesIO()
    with tarfile.open(fileobj=output, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for member in members:
            info = tarfile.TarInfo(member.name)
            info.type, info.linkname, info.size = member.type, member.target, len(member.data)
            info.mode, info.uid, info.gid, info.mtime = member.mode, member.uid, member.gid, time
            tar.addfile(info, io.BytesIO(member.data))
    output.seek(0)
    return output
