"""Tells values that look like secrets from placeholders, names and other text."""

from __future__ import annotations

import base64
import binascii
import re
from itertools import pairwise

REDACTED = "‹redacted›"
"""Stands where a secret was left out."""

_KEY = re.compile(
    r"(?i)pass(?:wor|w)?d|passphrase|passwd|(?<![a-z])pwd(?![a-z])|secret|credential|(?<![a-z])auth(?:orization)?$"
    r"|token|api[_-]?key|access[_-]?key|private[_-]?key|signing[_-]?key|client[_-]?key|bearer"
)
_NO_SECRET_KEY = re.compile(
    r"(?i)token(?:s|i[sz]er|_?type|_?count|_?length|_?url)|_(?:file|path|url|name)$|pass(?:ed|es|ing)"
)
_PLACEHOLDER = re.compile(
    r"(?i)[<>${}%‹›…*]|\.\.\.|example|placeholder|change.?me|your|x{3,}|dummy|s3cret|redacted|insert|replace|\benv\b"
    r"|^(?:none|null|true|false|yes|no|pass(?:word|wd)?|pw|secret|token|user|test\w{0,4}|foo|bar|123456?)$"
)
_WORDS = re.compile(r"[A-Za-z]+(?:[_\-.:/ ][A-Za-z]+)*\d{0,2}")
_PATH = re.compile(r"[~./]|[A-Za-z]:\\|\w+://")
TOKEN = re.compile(
    r"gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{60,}|gl(?:pat|rt|dt|ptt|cbt|soat|ft)-[A-Za-z0-9_\-]{20,}"
    r"|xox[abeprs]-[A-Za-z0-9\-]{20,}|npm_[A-Za-z0-9]{36}|pypi-AgE[A-Za-z0-9_\-]{50,}|hf_[A-Za-z0-9]{30,}"
    r"|dckr_pat_[A-Za-z0-9_\-]{20,}|[sr]k_live_[A-Za-z0-9]{20,}|sk-[A-Za-z0-9_\-]{32,}|dop_v1_[a-f0-9]{64}"
    r"|shpat_[a-f0-9]{32}|ya29\.[A-Za-z0-9_\-]{30,}|SG\.[A-Za-z0-9_\-]{20,}\.[A-Za-z0-9_\-]{40,}"
    r"|hvs\.[A-Za-z0-9_\-]{24,}|AGE-SECRET-KEY-1[A-Z0-9]{50,}|GOCSPX-[A-Za-z0-9_\-]{28}|AIza[A-Za-z0-9_\-]{35}"
    r"|(?:AKIA|ASIA)[A-Z0-9]{16}(?![A-Za-z0-9])|eyJ[A-Za-z0-9_\-]{10,}\.eyJ[A-Za-z0-9_\-]{10,}\.[A-Za-z0-9_\-]{10,}"
)
"""Tokens whose beginning says what they are."""
_URL = re.compile(r"://[^\s/:@'\"<>{}$]{0,128}:([^\s/@'\"<>{}$]{3,256})@[\w.\-\[]")
_VARIETY = 5  # different characters
_LONG = 16
_LONGEST = 4096


def is_secret_key(name: str) -> bool:
    """Return whether a name says that its value is a secret: `db_password`, `ZENODO_TOKEN`."""
    return _KEY.search(name) is not None and _NO_SECRET_KEY.search(name) is None


def is_known_token(value: str) -> bool:
    """Return whether a text holds a token of a known kind, or a URL with a password."""
    if TOKEN.search(value):
        return True
    found = _URL.search(value)
    return found is not None and not is_placeholder(found[1])


def is_placeholder(value: str) -> bool:
    """Return whether a text only stands in the place of a secret."""
    return _PLACEHOLDER.search(value) is not None or len(set(value)) < 3


def is_secret_value(value: str, *, quoted: bool, strict: bool = False) -> bool:
    """Return whether a value that stands after a secret's name looks like one.

    Args:
        value: without its quotes.
        quoted: whether quotes stood around it: else it may be a name of a program's.
        strict: whether the name is one that programs use for other things too, such as `token`.
    """
    if not 6 <= len(value) <= _LONGEST or any(character.isspace() for character in value):
        return False
    if is_placeholder(value) or _WORDS.fullmatch(value) or _PATH.match(value) or len(set(value)) < _VARIETY:
        return False
    classes = [any(map(test, value)) for test in (str.islower, str.isupper, str.isdigit)]
    symbols = any(not character.isalnum() and character not in "_-." for character in value)
    if strict or not quoted:
        return len(value) >= _LONG and _changes(value) >= 3
    return sum(classes) + symbols >= 2


def is_registry_login(value: str) -> bool:
    """Return whether a text is what a container engine keeps as a login: USER:PASSWORD in base64."""
    try:
        user, colon, password = base64.b64decode(value, validate=True).decode("ascii").partition(":")
    except (ValueError, binascii.Error):
        return False
    return bool(user and colon and password) and (user + password).isprintable()


def _changes(value: str) -> int:
    """Return how often letters and digits follow each other, which in names is seldom."""
    kinds = [character.isdigit() for character in value if character.isalnum()]
    return sum(one != other for one, other in pairwise(kinds))
