"""Requests to one REANA server: TLS always verified, the token never told, patience within limits."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit, urlunsplit

import requests

from relance.engines.reana import redaction
from relance.engines.reana.model import Login
from relance.engines.reana.refusals import LinkError, UnreachableError, refused
from relance.errors import MissingPartError, RelanceError
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
from relance.store.wire import Body, Wire

LARGEST_ANSWER = 256 << 20
"""Bytes of an answer that is read into memory, such as logs."""

_TOKEN = "access_token"  # noqa: S105 - a name, not a token
_TRIES = 5
_TRIES_AT_FIRST = 2
_REDIRECTS = 5
_SMALL = 1 << 20  # bytes of an error
_WAIT = frozenset({429, 503})
"""Statuses that say that nothing was done."""
_BROKEN = frozenset({408, 500, 502, 504})
_FAILED = 500
_ABOUT_LINKS = "symlink"
"""Is in what a server says with status 500 where it doesn't follow one."""
_MOVED = frozenset({301, 302, 303, 307, 308})


@dataclass(frozen=True)
class Access:
    """How a server is reached.

    token: of the user. authorities: file of certificates to trust in place of the system's. pause: waits so
    many seconds. timeout: seconds to connect, seconds between bytes.
    """

    token: str = field(repr=False)
    authorities: Path | None = None
    pause: Callable[[float], None] | None = None
    timeout: tuple[float, float] = (10, 120)


class Session:
    """Requests to one server, from several threads if need be."""

    def __init__(self, server: str, access: Access, login: Login | None = None) -> None:
        """`server` is what `relance.engines.reana.address` gives; without `login` requests carry no token."""
        self.server = server
        self._access = access
        self._login = login
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

    def logged_in(self, login: Login) -> Session:
        """Return a session that tells the token in this way."""
        return Session(self.server, self._access, login)

    def send(
        self,
        method: str,
        path: str,
        wanted: Collection[int],
        *,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: Body = lambda: b"",
        repeatable: bool = True,
    ) -> requests.Response:
        """Return the answer, its content still unread; the caller closes it.

        path: below the server's address, such as `/api/ping`. repeatable: whether the request may be sent
        again though it isn't known what became of it; without, only what was surely not done is.

        Raises:
            RefusedError: the server won't; its own words are told.
            UnreachableError: no answer, however often it was tried.
        """
        url = self._url(path, query or {})
        for trial in range(1, _TRIES + 1):
            try:
                answer = self._redirected(method, url, headers or {}, body)
            except requests.exceptions.UnrewindableBodyError:
                # requests looks at redirects even where it doesn't follow them.
                raise self.broken("a redirect of what is sent, which is not followed") from None
            except BREAKS as error:
                if (wrong := distrust(error)) is not None:
                    raise self._untrusted(wrong) from None
                # A server that never answered is rather not there than busy.
                tries = _TRIES if self._reached else _TRIES_AT_FIRST
                if trial >= tries or not (repeatable or _never_sent(error)):
                    # The error's own text holds the address with the token: only its kind is told.
                    raise self.broken(told(error)) from None
                self._waits(min(2.0 ** (trial - 1), LONGEST_PAUSE))
                continue
            except ValueError:
                raise self.broken("a redirect to what is no address") from None
            self._reached = True
            if answer.status_code in wanted:
                return answer
            again = answer.status_code in _WAIT or (repeatable and answer.status_code in _BROKEN)
            if not again or trial == _TRIES:
                raise self._refused(answer, self._words(answer))
            if answer.status_code == _FAILED and _ABOUT_LINKS in (words := self._words(answer)).lower():
                raise self._refused(answer, words)
            answer.close()
            self._waits(asked_pause(answer.headers.get("Retry-After", ""), 2.0 ** (trial - 1)))
        raise self.broken("no answer")

    def read(
        self,
        method: str,
        path: str,
        wanted: Collection[int] = (200,),
        *,
        query: Mapping[str, str] | None = None,
        content: object = None,
        form: tuple[str, bytes] | None = None,
        repeatable: bool = True,
    ) -> Any:
        """Return the JSON of an answer; `content` is sent as JSON, or `form` as it is, with its type.

        Raises:
            RefusedError: the server won't.
            UnreachableError: no answer, or none that is JSON of a sane size.
        """
        kind, data = form or ("", b"")
        if content is not None:
            kind, data = "application/json", json.dumps(content).encode()
        headers = {"Content-Type": kind} if kind else {}
        for trial in range(1, _TRIES + 1):
            answer = self.send(
                method, path, wanted, query=query, headers=headers, body=lambda: data, repeatable=repeatable
            )
            try:
                return self._parsed(answer)
            except BREAKS as error:
                if trial == _TRIES or not repeatable:
                    raise self.broken(told(error)) from None
        raise self.broken("no answer")

    def _parsed(self, answer: requests.Response) -> Any:
        """Return the JSON of an answer, which is closed; what `BREAKS` names is raised if it is cut off."""
        expected = answer.headers.get("Content-Length", "")
        data = limited(answer, LARGEST_ANSWER)
        if len(data) > LARGEST_ANSWER:
            raise self.broken(f"an answer of more than {LARGEST_ANSWER} bytes")
        if expected.isdecimal() and len(data) < int(expected):
            raise requests.ConnectionError("the answer was cut off")
        try:
            return json.loads(redaction.answer(data, self._access.token))
        except (ValueError, RecursionError):
            raise self.broken("an answer that isn't JSON") from None

    def broken(self, found: str) -> UnreachableError:
        """Return the error for a server that doesn't do what servers do."""
        return UnreachableError(
            self.subject,
            expected="an answer as REANA gives it",
            found=self.cleaned(found),
            next_step="check the network and REANA_SERVER_URL, then type the same command again",
        )

    @property
    def subject(self) -> str:
        """What errors begin with."""
        return f"REANA server {self.server}"

    def cleaned(self, text: str) -> str:
        """Return a server's words on one line, without the token, should it say that back to us."""
        return redaction.words(text, self._access.token)

    def pause(self, seconds: float) -> None:
        """Wait."""
        self._waits(seconds)

    def _url(self, path: str, query: Mapping[str, str]) -> str:
        pairs = dict(query)
        if self._login is Login.QUERY:
            pairs[_TOKEN] = self._access.token
        return f"{self.server}{path}{'?' + urlencode(pairs) if pairs else ''}"

    def _redirected(self, method: str, url: str, headers: Mapping[str, str], body: Body) -> requests.Response:
        for _ in range(_REDIRECTS + 1):
            answer = self._once(method, url, headers, body)
            if answer.status_code not in _MOVED or method != "GET":
                return answer
            answer.close()
            url = self._following(url, answer.headers.get("Location", ""))
        raise self.broken(f"more than {_REDIRECTS} redirects")

    def _following(self, url: str, target: str) -> str:
        """Return where a server sends us: never elsewhere, since the token would be sent along."""
        try:
            joined = urlsplit(urljoin(url, target))
        except ValueError:
            raise self.broken("a redirect to what is no address") from None
        if not target or origin(urlunsplit(joined)) != origin(self.server):
            raise self.broken(f"a redirect to {joined.hostname!r}, which is not followed")
        pairs = [(key, value) for key, value in parse_qsl(joined.query) if key != _TOKEN]
        if self._login is Login.QUERY:
            pairs.append((_TOKEN, self._access.token))
        return urlunsplit((joined.scheme, joined.netloc, joined.path, urlencode(pairs), ""))

    def _once(self, method: str, url: str, headers: Mapping[str, str], body: Body) -> requests.Response:
        bearer = f"Bearer {self._access.token}" if self._login is Login.BEARER else ""
        content = body()
        connecting, waiting = self._access.timeout
        if content and self._reached:
            # urllib3 gives a stalled server no longer than that to read on, and a file would begin anew.
            connecting = waiting
        return self._wire.ask(
            method, url, (connecting, waiting), headers=headers, content=content, authorization=bearer
        )

    def _refused(self, answer: requests.Response, words: str) -> RelanceError:
        status = answer.status_code
        found = f"HTTP status {status}{f' ({words})' if words else ''}"
        if status == _FAILED and _ABOUT_LINKS in words.lower():
            return LinkError(
                self.subject,
                expected="a file",
                found=found,
                next_step="let the workflow write a copy of what the link leads to",
            )
        if status in _WAIT or status >= 500 or status in _BROKEN or status < 400:
            return self.broken(found)
        error = refused(self.server, status, words)
        error.wants_header = "bearer" in answer.headers.get("WWW-Authenticate", "").lower()
        return error

    def _words(self, answer: requests.Response) -> str:
        try:
            said = json.loads(limited(answer, _SMALL))["message"]
        except (*BREAKS, ValueError, LookupError, TypeError, RecursionError):
            return ""
        return self.cleaned(said) if isinstance(said, str) else ""

    def _untrusted(self, wrong: Distrust) -> MissingPartError:
        error = self.broken(wrong.found)
        error.next_step = wrong.next_step
        return error


def _never_sent(error: Exception) -> bool:
    return isinstance(error, requests.exceptions.ConnectTimeout) or (
        isinstance(error, requests.exceptions.ConnectionError) and "NewConnectionError" in repr(error)
    )
