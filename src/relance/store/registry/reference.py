"""Names of what lies in a registry."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

from relance.errors import InputError
from relance.model import Digest

# The grammar is that of the OCI distribution specification 1.1.
_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REPOSITORY = re.compile(rf"{_PART}(?:/{_PART})*")
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
_HOST = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[0-9a-fA-F:]+\])(?::[0-9]{{1,5}})?")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_LONGEST = 255

DOCKER_HUB = "docker.io"


@dataclass(frozen=True)
class Reference:
    """`HOST/REPOSITORY:TAG`, `HOST/REPOSITORY@sha256:…` or both; then the digest says what is meant."""

    host: str
    repository: str
    digest: Digest | None = None
    tag: str | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a reference; `docker://` before it says nothing. Without tag or digest, `latest` is meant.

        Raises:
            InputError: it names no registry, or isn't written as the OCI distribution specification says.
        """
        rest = text.removeprefix("docker://")
        host, slash, rest = rest.partition("/")
        name, at, digest = rest.partition("@")
        folder, _, last = name.rpartition("/")
        last, colon, tag = last.partition(":")
        repository = f"{folder}/{last}" if folder else last
        if not slash or not _is_host(host):
            raise _refusal(text, "HOST/REPOSITORY:TAG or HOST/REPOSITORY@sha256:…", "no registry in it")
        if not _REPOSITORY.fullmatch(repository) or len(host) + len(repository) >= _LONGEST:
            raise _refusal(text, "a repository of lower-case letters, digits, '.', '_', '-' and '/'", name)
        if at and not _DIGEST.fullmatch(digest):
            raise _refusal(text, "'sha256:' and 64 hexadecimal digits after '@'", digest)
        if colon and not _TAG.fullmatch(tag):
            raise _refusal(text, "a tag of letters, digits, '.', '_' and '-', at most 128", tag)
        return cls(
            host, repository, Digest(digest) if at else None, tag if colon else None if at else "latest"
        )

    @classmethod
    def pinned(cls, text: str) -> Self:
        """Read a reference that has a digest; a tag beside it says nothing and is dropped.

        Raises:
            InputError: it has none, or isn't a reference.
        """
        try:
            found = cls.parse(text)
        except InputError as error:
            raise _unpinned(text) from error
        if found.digest is None:
            raise _unpinned(text)
        return cls(found.host, found.repository, found.digest)

    @classmethod
    def of_image(cls, text: str) -> Self:
        """Read a reference as container engines do: `python:3.11` lies in Docker Hub.

        Raises:
            InputError: it isn't a reference.
        """
        rest = text.removeprefix("docker://")
        first, slash, _ = rest.partition("/")
        if not slash:
            rest = f"{DOCKER_HUB}/library/{rest}"
        elif not _is_host(first):
            rest = f"{DOCKER_HUB}/{rest}"
        elif first == DOCKER_HUB and rest.count("/") == 1:
            rest = rest.replace("/", "/library/", 1)
        return cls.parse(rest)

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        return f"{self.name}{tag}{f'@{self.digest}' if self.digest else ''}"

    @property
    def name(self) -> str:
        """Registry and repository."""
        return f"{self.host}/{self.repository}"

    @property
    def pin(self) -> Digest:
        """The digest.

        Raises:
            InputError: there is none.
        """
        if self.digest is None:
            raise _unpinned(str(self))
        return self.digest

    @property
    def wanted(self) -> str:
        """What the registry is asked for: the digest, else the tag."""
        return self.digest or self.tag or "latest"

    @property
    def address(self) -> str:
        """The registry's address; plain HTTP for one on this machine only."""
        host = "registry-1.docker.io" if self.host == DOCKER_HUB else self.host
        return f"{'http' if is_loopback(self.host) else 'https'}://{host}"


def is_loopback(host: str) -> bool:
    """Tell whether a host, with or without port, is this machine by the way it is written."""
    name = host[: host.index("]") + 1] if host.startswith("[") else host.partition(":")[0]
    return name in {"localhost", "127.0.0.1", "[::1]"}


def _is_host(text: str) -> bool:
    return bool(_HOST.fullmatch(text)) and (bool({".", ":"} & set(text)) or text == "localhost")


def _refusal(text: str, expected: str, found: str) -> InputError:
    return InputError(
        f"reference {text!r}",
        expected=expected,
        found=repr(found) if found != "no registry in it" else found,
        next_step="write the registry's host before the first '/', such as registry.example.org/group/name:1",
    )


def _unpinned(text: str) -> InputError:
    return InputError(
        f"image reference {text!r} is not pinned",
        expected="HOST/REPOSITORY@sha256:… with 64 hexadecimal digits",
        found=repr(text),
        next_step="add the registry and the digest ('relance images import' shows it)",
    )
