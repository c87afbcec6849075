"""Requests to one repository of a registry: login, redirects, patience; TLS always verified."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self
from urllib.parse import urljoin, urlsplit

import requests

from relance.errors import MissingPartError
from relance.store.http import (
    BREAKS,
    LONGEST_PAUSE,
    Distrust,
    asked_pause,
    distrust,
    limited,
    origin,
    told,
)
from relance.store.registry.credentials import Keyring
from relance.store.registry.login import BUSY, Login
from relance.store.registry.reference import Reference, is_loopback
from relance.store.registry.refusals import broken_off, broken_rules, refused
from relance.store.wire import Body, Wire

_TIMEOUT = (10, 60)  # seconds to connect, seconds between bytes
_TRIES = 5
_TRIES_AT_FIRST = 2
_REDIRECTS = 5
_SMALL = 1 << 20  # bytes of an answer that isn't content
_MOVED = frozenset({301, 302, 303, 307, 308})


@dataclass(frozen=True)
class Access:
    """How registries are reached.

    authorities: file of certificates to trust in place of the system's. pause: waits so many seconds.
    """

    keyring: Keyring = field(default_factory=Keyring)
    authorities: Path | None = None
    pause: Callable[[float], None] | None = None


class Session:
    """Requests to one repository, from several threads if need be; logs in when the registry asks for it."""

    def __init__(
        self, reference: Reference, access: Access, *, writing: bool = False, also: Collection[str] = ()
    ) -> None:
        self.reference = reference
        self._access = access
        actions = "pull,push" if writing else "pull"
        scopes = (
            f"repository:{reference.repository}:{actions}",
            *(f"repository:{other}:pull" for other in also),
        )
        self._login = Login(reference, access.keyring, scopes, safe=self._safe, ask=self._asked)
        self._wire = Wire(access.authorities, most=32)
        self._waits = self._wire.pause if access.pause is None else access.pause
        self._reached = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._wire.close()

    def cut(self) -> AbstractContextManager[None]:
        """Return a block in which what other threads ask for ends at once; see `Wire.cut`."""
        return self._wire.cut()

    def url(self, what: str) -> str:
        """Return the address of something of the repository, such as `blobs/sha256:…`."""
        return f"{self.reference.address}/v2/{self.reference.repository}/{what}"

    def following(self, answer: requests.Response, header: str = "Location") -> str:
        """Return the address that an answer sends us to.

        Raises:
            MissingPartError: there is none, or it isn't safe.
        """
        target = answer.headers.get(header, "")
        if not target:
            raise self.refusal(f"an answer without {header}")
        return self.joined(answer.url, target)

    def joined(self, url: str, target: str) -> str:
        """Return the address that `target` means on the page `url`.

        Raises:
            MissingPartError: it isn't safe.
        """
        return self._safe(urljoin(url, target))

    def send(
        self,
        method: str,
        url: str,
        wanted: Collection[int],
        *,
        headers: Mapping[str, str] | None = None,
        body: Body = lambda: b"",
        tries: int = _TRIES,
    ) -> requests.Response:
        """Return the answer, its content still unread; the caller closes it.

        Raises:
            BrokenError: no answer, however often it was tried.
            NotFoundError: the registry has no such thing.
            RefusedError: it refuses; its own words are told.
            MissingPartError: it does what no registry may.
        """
        logged_in = False
        for trial in range(1, tries + 1):
            try:
                used = self._login.authorization
                answer = self._redirected(method, url, headers or {}, body, used)
                if answer.status_code == requests.codes.unauthorized and not logged_in:
                    answer.close()
                    self._login.renew(answer.headers.get("WWW-Authenticate", ""), used)
                    logged_in = True
                    answer = self._redirected(method, url, headers or {}, body, self._login.authorization)
            except BREAKS as error:
                if (wrong := distrust(error)) is not None:
                    raise self._untrusted(wrong) from error
                # A registry that never answered is rather not there than busy.
                if trial >= (tries if self._reached else min(tries, _TRIES_AT_FIRST)):
                    raise broken_off(self.reference, told(error)) from error
                self._waits(min(2.0 ** (trial - 1), LONGEST_PAUSE))
                continue
            except ValueError as error:
                # requests looks at redirects even where it doesn't follow them.
                raise self.refusal("a redirect to what is no address") from error
            self._reached = True
            if answer.status_code in wanted:
                return answer
            said = self._words(answer)
            if answer.status_code not in BUSY:
                raise refused(self.reference, answer.status_code, said)
            if trial == tries:
                raise broken_off(self.reference, said)
            self._waits(asked_pause(answer.headers.get("Retry-After", ""), 2.0 ** (trial - 1)))
        raise broken_off(self.reference, "no answer")

    def read(
        self, url: str, largest: int, *, headers: Mapping[str, str] | None = None
    ) -> tuple[bytes, Mapping[str, str]]:
        """Return the content of an answer of at most so many bytes, and its headers.

        Raises:
            MissingPartError: it is larger; or as `send`.
        """
        for trial in range(1, _TRIES + 1):
            answer = self.send("GET", url, {200}, headers=headers)
            try:
                data = limited(answer, largest)
            except BREAKS as error:
                if trial == _TRIES:
                    raise broken_off(self.reference, told(error)) from error
                continue
            if len(data) > largest:
                raise self.refusal(f"an answer of more than {largest} bytes")
            return data, answer.headers
        raise broken_off(self.reference, "no answer")

    def refusal(self, found: str) -> MissingPartError:
        """Return the error for what the registry must not do."""
        return broken_rules(self.reference, found)

    def pause(self, seconds: float) -> None:
        """Wait."""
        self._waits(min(seconds, LONGEST_PAUSE))

    def _redirected(
        self, method: str, url: str, headers: Mapping[str, str], body: Body, authorization: str
    ) -> requests.Response:
        for _ in range(_REDIRECTS + 1):
            own = origin(url) == origin(self.reference.address)
            answer = self._once(method, url, headers, body, authorization if own else "")
            if answer.status_code not in _MOVED or method not in {"GET", "HEAD"}:
                return answer
            answer.close()
            url = self.following(answer)
        raise self.refusal(f"more than {_REDIRECTS} redirects")

    def _once(
        self, method: str, url: str, headers: Mapping[str, str], body: Body, authorization: str
    ) -> requests.Response:
        return self._wire.ask(
            method, url, _TIMEOUT, headers=headers, content=body(), authorization=authorization
        )

    def _safe(self, url: str) -> str:
        parts = urlsplit(url)
        if parts.username is not None or parts.password is not None:
            raise self.refusal("an address with a password in it")
        if parts.scheme == "https" and parts.hostname:
            return url
        if parts.scheme == "http" and is_loopback(parts.netloc) and is_loopback(self.reference.host):
            return url
        raise self.refusal(f"a way to {parts.hostname!r} without TLS")

    def _asked(
        self, method: str, url: str, headers: Mapping[str, str], content: bytes, authorization: str
    ) -> tuple[int, bytes]:
        """Return status and content of a small answer."""
        answer = self._once(method, url, headers, lambda: content, authorization)
        data = limited(answer, _SMALL)
        self._reached = True
        return answer.status_code, data

    def _words(self, answer: requests.Response) -> str:
        """Return an answer's status and, if it has the registry's form of error, what it says."""
        try:
            with answer:
                first = json.loads(limited(answer, _SMALL))["errors"][0]
            words = f"{first.get('code', '')} {first.get('message', '')}"
        except (*BREAKS, ValueError, LookupError, TypeError, AttributeError):
            words = ""
        words = "".join(letter for letter in words if letter.isprintable()).strip()[:200]
        return f"HTTP status {answer.status_code}{f' ({words})' if words else ''}"

    def _untrusted(self, wrong: Distrust) -> MissingPartError:
        error = self.refusal(wrong.found)
        error.next_step = wrong.next_step
        return error


def answers(reference: Reference, seconds: float = 3.0) -> bool:
    """Tell whether the registry answers within so many seconds."""
    try:
        with (
            closing(Wire()) as wire,
            wire.ask("GET", f"{reference.address}/v2/", (seconds, seconds)) as found,
        ):
            return found.status_code in {requests.codes.ok, requests.codes.unauthorized}
    except requests.RequestException:
        return False
