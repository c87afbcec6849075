"""Files that are secrets as a whole, by their names or their first bytes."""

from __future__ import annotations

import re
import struct

_NAMES = {
    ".netrc": "logins of .netrc",
    "_netrc": "logins of .netrc",
    ".git-credentials": "logins of git",
    ".pgpass": "logins of a database",
    ".vault-token": "token",
    ".dockercfg": "registry logins",
    "usercert.p12": "private key and certificate",
    "usercred.p12": "private key and certificate",
    "userkey.pem": "private key",
}
_PATTERNS = (
    (re.compile(r"(?:^|/)id_(?:rsa|dsa|ecdsa|ed25519)(?:_sk)?$"), "private key"),
    (re.compile(r"\.keytab$|(?:^|/)krb5\.keytab"), "Kerberos keytab"),
    (re.compile(r"(?:^|/)krb5cc_\w+$"), "Kerberos cache"),
    (re.compile(r"(?:^|/)x509up_u\w+$"), "X.509 proxy"),
    (re.compile(r"(?:^|/)bt_u\d+$"), "bearer token"),
    (re.compile(r"(?:^|/)\.aws/credentials$"), "cloud credentials"),
    (
        re.compile(r"(?:^|/)\.config/gcloud/(?:credentials\.db|application_default_credentials\.json)$"),
        "cloud credentials",
    ),
    (re.compile(r"(?:^|/)\.kube/config$"), "cluster credentials"),
    (re.compile(r"(?:^|/)\.config/(?:gh/hosts|glab-cli/config)\.yml$"), "forge token"),
    (re.compile(r"\.(?:p12|pfx)$"), "private key and certificate"),
    (re.compile(r"\.(?:kdbx|jks|keystore)$"), "key store"),
)
_DER_KEYS = (
    re.compile(rb"\x30\x82..\x02\x01\x00\x30.{1,16}?\x04\x82", re.DOTALL),
    re.compile(rb"\x30\x82..\x02\x01\x00\x02\x82..\x00", re.DOTALL),
)
_PKCS12 = re.compile(rb"\x30[\x80-\x84].{1,4}\x02\x01\x03\x30", re.DOTALL)
_PACKED = (b"\x1f\x8b", b"\xfd7zXZ\x00", b"BZh", b"\x28\xb5\x2f\xfd", b"PK\x03\x04", b"7z\xbc\xaf\x27\x1c")
_MOST_PARTS = 10


def by_name(path: str) -> str | None:
    """Return which secret a file is said to be by its path; None if none."""
    name = path.rpartition("/")[2]
    if name in _NAMES:
        return _NAMES[name]
    return next((kind for pattern, kind in _PATTERNS if pattern.search(path)), None)


def by_start(start: bytes) -> str | None:
    """Return which secret a file is by its first bytes (64 or more of them); None if none."""
    if start[:2] == b"\x05\x02" and _is_keytab(start):
        return "Kerberos keytab"
    if start[:2] in {b"\x05\x03", b"\x05\x04"} and _is_cache(start):
        return "Kerberos cache"
    if start[:4] in {b"\xfe\xed\xfe\xed", b"\x03\xd9\xa2\x9a"}:
        return "key store"
    if any(pattern.match(start) for pattern in _DER_KEYS):
        return "private key"
    return "private key and certificate" if _PKCS12.match(start) else None


def is_archive(start: bytes) -> bool:
    """Return whether the first bytes (512 of them) are those of a tar file, which holds files as they are."""
    return start[257:262] == b"ustar"


def is_packed(start: bytes) -> bool:
    """Return whether a file is compressed, by its first bytes: what is inside isn't looked at."""
    return start.startswith(_PACKED)


def _is_keytab(start: bytes) -> bool:
    if len(start) < 12:
        return False
    size, parts, length = struct.unpack_from(">iHH", start, 2)
    return 0 < size < 1 << 16 and 0 < parts <= _MOST_PARTS and _is_text(start[10 : 10 + length], length)


def _is_cache(start: bytes) -> bool:
    at = 2
    if start[1] == 4:
        at += 2 + int.from_bytes(start[2:4], "big")
    if len(start) < at + 12:
        return False
    kind, parts, length = struct.unpack_from(">III", start, at)
    return kind < 1 << 8 and 0 < parts <= _MOST_PARTS and _is_text(start[at + 12 : at + 12 + length], length)


def _is_text(found: bytes, length: int) -> bool:
    return 0 < length < 1 << 8 and found.isascii() and found.decode("ascii").isprintable()
