"""Requests to one repository of a registry: login, redirects, patience; TLS always verified."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Self
from urllib.parse import urlencode, urljoin, urlsplit

import requests

from relance.errors import MissingPartError
from relance.store.http import (
    BREAKS,
    LONGEST_PAUSE,
    Distrust,
    LoginHeader,
    asked_pause,
    connections,
    distrust,
    limited,
    origin,
)
from relance.store.registry import challenge
from relance.store.registry.challenge import Challenge
from relance.store.registry.credentials import Credentials, Keyring
from relance.store.registry.reference import Reference, is_loopback
from relance.store.registry.refusals import BrokenError, NotFoundError, RefusedError

_TIMEOUT = (10, 60)  # seconds to connect, seconds between bytes
_TRIES = 5
_TRIES_AT_FIRST = 2
_REDIRECTS = 5
_SMALL = 1 << 20  # bytes of an answer that isn't content
_BUSY = frozenset({408, 429, 500, 502, 503, 504})
_MOVED = frozenset({301, 302, 303, 307, 308})

Body = Callable[[], bytes | IO[bytes]]
"""Gives what is sent, from its beginning each time it is called."""


@dataclass(frozen=True)
class Access:
    """How registries are reached.

    authorities: file of certificates to trust in place of the system's. pause: waits so many seconds.
    """

    keyring: Keyring = field(default_factory=Keyring)
    authorities: Path | None = None
    pause: Callable[[float], None] = time.sleep


class Session:
    """Requests to one repository, from several threads if need be; logs in when the registry asks for it."""

    def __init__(
        self, reference: Reference, access: Access, *, writing: bool = False, also: Collection[str] = ()
    ) -> None:
        self.reference = reference
        self._access = access
        actions = "pull,push" if writing else "pull"
        self._scopes = (
            f"repository:{reference.repository}:{actions}",
            *(f"repository:{other}:pull" for other in also),
        )
        self._session = connections(32)
        self._lock = threading.Lock()
        self._authorization = ""
        self._reached = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._session.close()

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
                used = self._authorization
                answer = self._redirected(method, url, headers or {}, body, used)
                if answer.status_code == requests.codes.unauthorized and not logged_in:
                    answer.close()
                    self._log_in(answer.headers.get("WWW-Authenticate", ""), used)
                    logged_in = True
                    answer = self._redirected(method, url, headers or {}, body, self._authorization)
            except BREAKS as error:
                if (wrong := distrust(error)) is not None:
                    raise self._untrusted(wrong) from error
                # A registry that never answered is rather not there than busy.
                if trial >= (tries if self._reached else min(tries, _TRIES_AT_FIRST)):
                    raise self._broken(_told_of(error)) from error
                self._access.pause(min(2.0 ** (trial - 1), LONGEST_PAUSE))
                continue
            except ValueError as error:
                # requests looks at redirects even where it doesn't follow them.
                raise self.refusal("a redirect to what is no address") from error
            self._reached = True
            if answer.status_code in wanted:
                return answer
            said = self._words(answer)
            if answer.status_code not in _BUSY:
                raise self._refused(answer.status_code, said)
            if trial == tries:
                raise self._broken(said)
            self._access.pause(asked_pause(answer.headers.get("Retry-After", ""), 2.0 ** (trial - 1)))
        raise self._broken("no answer")

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
                    raise self._broken(_told_of(error)) from error
                continue
            if len(data) > largest:
                raise self.refusal(f"an answer of more than {largest} bytes")
            return data, answer.headers
        raise self._broken("no answer")

    def refusal(self, found: str) -> MissingPartError:
        """Return the error for what the registry must not do."""
        return MissingPartError(*self._told(), **self._parts(found))

    def pause(self, seconds: float) -> None:
        """Wait."""
        self._access.pause(min(seconds, LONGEST_PAUSE))

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
        return self._session.request(
            method,
            url,
            headers={"Accept-Encoding": "identity", "User-Agent": "relance", **headers},
            data=body(),
            auth=LoginHeader(authorization),
            stream=True,
            allow_redirects=False,
            timeout=_TIMEOUT,
            # Given with each request: requests would prefer the environment's to a session's.
            verify=True if self._access.authorities is None else str(self._access.authorities),
            # No proxy stands between this machine and itself.
            proxies={"http": "", "https": ""} if is_loopback(urlsplit(url).netloc) else None,
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

    def _log_in(self, header: str, used: str) -> None:
        with self._lock:
            if self._authorization != used:
                return  # another thread did it meanwhile
            self._authorization = self._login(challenge.parse(header), used)

    def _login(self, offered: tuple[Challenge, ...], used: str) -> str:
        login = self._access.keyring.of(self.reference) or Credentials()
        for way in offered:
            if way.scheme == "bearer":
                if login.token:
                    return self._new(f"Bearer {login.token}", used)
                return self._token(way, login)
            if way.scheme == "basic" and login.basic:
                return self._new(login.basic, used)
        raise self._refused(401, "a wish for a login" if not used else "the login refused")

    def _new(self, authorization: str, used: str) -> str:
        if authorization == used:
            raise self._refused(401, "the login refused")
        return authorization

    def _token(self, way: Challenge, login: Credentials) -> str:
        realm = self._safe(way.fields.get("realm", ""))
        question = list(way.question(self._scopes))
        if login.identity:
            form = [("grant_type", "refresh_token"), ("refresh_token", login.identity)]
            form += [("client_id", "relance"), *question]
            headers = {"Content-Type": "application/x-www-form-urlencoded"}
            answer = self._once("POST", realm, headers, lambda: urlencode(form).encode(), "")
        else:
            address = requests.Request("GET", realm, params=question).prepare().url or realm
            answer = self._once("GET", address, {}, lambda: b"", login.basic)
        with answer:
            data = limited(answer, _SMALL)
        self._reached = True
        if answer.status_code in _BUSY:
            raise requests.ConnectionError("the token service is busy")
        if answer.status_code != requests.codes.ok:
            raise self._refused(answer.status_code, f"HTTP status {answer.status_code} for a token")
        try:
            value = json.loads(data)
            token = value.get("token") or value["access_token"]
        except (ValueError, KeyError, AttributeError, RecursionError):
            token = None
        if not isinstance(token, str) or not token.isprintable() or not token.isascii():
            raise self.refusal("no token where one was promised")
        return f"Bearer {token}"

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

    def _refused(self, status: int, said: str) -> RefusedError:
        if status == requests.codes.not_found:
            missing = NotFoundError(*self._told(), **self._parts(said))
            missing.expected = "what is asked for to be there"
            missing.next_step = (
                "check the name and the tag; what is closed to you may be hidden, too: "
                f"log in with 'podman login {self.reference.host}'"
            )
            return missing
        error = RefusedError(*self._told(), **self._parts(said))
        error.status = status
        if status in {401, 403}:
            error.next_step = (
                f"log in with 'podman login {self.reference.host}', or set RELANCE_REGISTRY_USER and "
                "RELANCE_REGISTRY_PASSWORD; check that this user may do it"
            )
        return error

    def _untrusted(self, wrong: Distrust) -> MissingPartError:
        error = self.refusal(wrong.found)
        error.next_step = wrong.next_step
        return error

    def _broken(self, found: str) -> BrokenError:
        return BrokenError(*self._told(), **self._parts(found))

    def _told(self) -> tuple[str]:
        return (f"registry {self.reference.host}, {self.reference}",)

    @staticmethod
    def _parts(found: str) -> dict[str, Any]:
        return {
            "expected": "the registry to do what it is asked",
            "found": found,
            "next_step": "check the network and the name, then type the same command again",
        }


def _told_of(error: Exception) -> str:
    if isinstance(error, requests.Timeout):
        return "no answer in time"
    return "no connection" if isinstance(error, requests.ConnectionError) else type(error).__name__


def answers(reference: Reference, seconds: float = 3.0) -> bool:
    """Tell whether the registry answers within so many seconds."""
    local = {"http": "", "https": ""} if is_loopback(reference.host) else None
    try:
        found = requests.get(
            f"{reference.address}/v2/",
            timeout=seconds,
            allow_redirects=False,
            auth=LoginHeader(""),
            proxies=local,
        )
    except requests.RequestException:
        return False
    return found.status_code in {requests.codes.ok, requests.codes.unauthorized}
