"""Logging in to a registry when it asks for it: with a password, or with a token of its token service."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Collection
from urllib.parse import urlencode

import requests

from relance.store.registry import challenge
from relance.store.registry.challenge import Challenge
from relance.store.registry.credentials import Credentials, Keyring
from relance.store.registry.reference import Reference
from relance.store.registry.refusals import broken_rules, refused

BUSY = frozenset({408, 429, 500, 502, 503, 504})
"""Statuses of HTTP after which asking again may help."""

_FORM = {"Content-Type": "application/x-www-form-urlencoded"}


class Login:
    """What one session tells a registry about who asks: nothing, until that wants to know."""

    def __init__(
        self,
        reference: Reference,
        keyring: Keyring,
        scopes: Collection[str],
        *,
        safe: Callable[[str], str],
        ask: Callable[[str, str, dict[str, str], bytes, str], tuple[int, bytes]],
    ) -> None:
        """Say nothing yet.

        Args:
            reference: what is asked for.
            keyring: knows passwords and tokens.
            scopes: the rights that are needed.
            safe: returns an address if a login may be sent there.
            ask: sends method, address, headers, content and authorization; returns status and a small answer.
        """
        self.authorization = ""
        """The header of that name as it is sent now."""
        self._reference = reference
        self._keyring = keyring
        self._scopes = scopes
        self._safe = safe
        self._ask = ask
        self._lock = threading.Lock()

    def renew(self, header: str, used: str) -> None:
        """Log in as the header of a 401 wants it, unless another thread did since `used` was sent.

        Raises:
            RefusedError: there is no login, or it was refused.
            MissingPartError: the token service does what none may.
            requests.ConnectionError: it is busy, or the connection broke.
        """
        with self._lock:
            if self.authorization == used:
                self.authorization = self._found(challenge.parse(header), used)

    def _found(self, offered: tuple[Challenge, ...], used: str) -> str:
        login = self._keyring.of(self._reference) or Credentials()
        for way in offered:
            if way.scheme == "bearer":
                if login.token:
                    return self._new(f"Bearer {login.token}", used)
                return self._token(way, login)
            if way.scheme == "basic" and login.basic:
                return self._new(login.basic, used)
        raise refused(self._reference, 401, "a wish for a login" if not used else "the login refused")

    def _new(self, authorization: str, used: str) -> str:
        if authorization == used:
            raise refused(self._reference, 401, "the login refused")
        return authorization

    def _token(self, way: Challenge, login: Credentials) -> str:
        realm = self._safe(way.fields.get("realm", ""))
        question = list(way.question(self._scopes))
        if login.identity:
            form = [("grant_type", "refresh_token"), ("refresh_token", login.identity)]
            form += [("client_id", "relance"), *question]
            status, data = self._ask("POST", realm, _FORM, urlencode(form).encode(), "")
        else:
            address = requests.Request("GET", realm, params=question).prepare().url or realm
            status, data = self._ask("GET", address, {}, b"", login.basic)
        if status in BUSY:
            raise requests.ConnectionError("the token service is busy")
        if status != requests.codes.ok:
            raise refused(self._reference, status, f"HTTP status {status} for a token")
        try:
            value = json.loads(data)
            token = value.get("token") or value["access_token"]
        except (ValueError, KeyError, AttributeError, RecursionError):
            token = None
        if not isinstance(token, str) or not token.isprintable() or not token.isascii():
            raise broken_rules(self._reference, "no token where one was promised")
        return f"Bearer {token}"
