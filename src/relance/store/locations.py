"""Where external data lies: the kinds of locations, and what stands behind a record's number or DOI."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

from relance.errors import InputError

_LOOPBACK = {"localhost", "127.0.0.1", "::1"}
_SECRET = re.compile(r"(?i)(?:^|[&;])[^=&;]*(?:token|signature|secret|passw|credential|authz|apikey)[^=&;]*=")
_RECORD = re.compile(r"cernopendata:([0-9]+)/(.+)")
_ZENODO = re.compile(r"doi:10\.5281/zenodo\.([0-9]+)/(.+)", re.IGNORECASE)
_EOS = re.compile(r"root://eospublic\.cern\.ch/(/eos/opendata/.+)")
_INDEX = "_file_index.txt"


class NoWayError(Exception):
    """A location can't be used; the text says why."""


@dataclass(frozen=True)
class Portals:
    """Where records are looked up."""

    cern_open_data: str = "https://opendata.cern.ch"
    zenodo: str = "https://zenodo.org"


def require_harmless(location: str) -> None:
    """Make sure that a location holds no password or token, which would be kept with it and printed.

    Raises:
        InputError: it does.
    """
    try:
        parts = urlsplit(location)
        secret = "@" in parts.netloc or _SECRET.search(parts.query) is not None
        shown = f"{parts.scheme}://{parts.hostname or ''}{parts.path}"
    except ValueError as error:
        raise _refusal("a location of external data can't be read", "a URL", str(error)) from error
    if secret:
        raise _refusal(
            f"the location {shown} holds a password or token",
            "one that anybody may see",
            "a user name, or a parameter that is secret by its name",
        )


def is_safe(url: str) -> bool:
    """Tell whether a URL is one of TLS, or of this machine."""
    parts = urlsplit(url)
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)


def resolved(location: str, portals: Portals, get: Callable[[str], bytes]) -> Iterator[str]:
    """Return what is behind a location: URLs of the kinds https, root and file, the best first.

    get: returns the answer to a request for a small document.

    Raises:
        NoWayError: the location is of another kind, or its record is not known or has no such file.
    """
    kind = location.partition(":")[0]
    if kind in {"root", "file"} or is_safe(location):
        yield location
    elif match := _RECORD.fullmatch(location):
        yield from _open_data(match[1], match[2], portals.cern_open_data, get)
    elif match := _ZENODO.fullmatch(location):
        yield f"{portals.zenodo}/api/records/{match[1]}/files/{quote(match[2], safe='')}/content"
    elif kind == "doi":
        raise NoWayError(
            "of DOIs only doi:10.5281/zenodo.NUMBER/FILE can be followed; give its https location"
        )
    else:
        raise NoWayError(
            "only https://, root://, file:///, cernopendata:RECORD/FILE and doi:10.5281/zenodo.NUMBER/FILE "
            "can be followed"
        )


def _open_data(record: str, file: str, portal: str, get: Callable[[str], bytes]) -> Iterator[str]:
    try:
        metadata: Any = json.loads(get(f"{portal}/api/records/{record}"))["metadata"]
        listed = [str(entry["uri"]) for entry in metadata["files"]]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise NoWayError(f"CERN Open Data knows no files of record {record}") from error
    found = [uri for uri in listed if _ends_with(uri, file)]
    # Large datasets list their files in indexes instead.
    for index in (uri for uri in listed if uri.endswith(_INDEX) and not found):
        lines = get(_by_https(index, portal)).decode("utf-8", "replace").split()
        found = [uri for uri in lines if _ends_with(uri, file)]
    if not found:
        raise NoWayError(f"record {record} of CERN Open Data has no file {file!r}")
    if len(set(found)) > 1:
        raise NoWayError(
            f"record {record} of CERN Open Data has several files {file!r}; give more of the path"
        )
    yield _by_https(found[0], portal)
    if found[0].startswith("root://"):
        yield found[0]


def _ends_with(uri: str, file: str) -> bool:
    return f"/{uri}".endswith(f"/{file}")


def _by_https(uri: str, portal: str) -> str:
    """Return the URL of a file on the portal's own storage, which it offers by https too."""
    match = _EOS.fullmatch(uri)
    return f"{portal}{quote(match[1])}" if match else uri


def _refusal(subject: str, expected: str, found: str) -> InputError:
    return InputError(
        subject,
        expected=expected,
        found=found,
        next_step="name a public location, or put the file there yourself",
    )
