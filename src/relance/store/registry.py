"""Images pulled from a registry (OCI distribution specification 1.1), every blob verified."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import IO, Any, Self, cast

import requests

from relance import digest
from relance.errors import InputError, MissingPartError
from relance.model import Digest
from relance.store.layout import CONFIG_TYPE, LAYER_TYPE, MANIFEST_TYPE, Descriptor, Layout
from relance.store.normalise import Image

_MANIFESTS = (MANIFEST_TYPE, "application/vnd.docker.distribution.manifest.v2+json")
_INDEXES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
_LARGEST_MANIFEST = 4 << 20  # bytes; registries refuse more
_TIMEOUT = (5, 60)  # seconds to connect, seconds between bytes


@dataclass(frozen=True)
class Reference:
    """An image in a registry, by digest: `HOST/REPOSITORY[:TAG]@sha256:…`; a tag says nothing here."""

    host: str
    repository: str
    digest: Digest

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a reference.

        Raises:
            InputError: it has no registry or no digest.
        """
        match = re.fullmatch(r"(?:docker://)?([^/@\s]+)/([^@:\s]+)(?::[^@\s]+)?@(sha256:[0-9a-f]{64})", text)
        if match is None or not ({".", ":"} & set(match[1]) or match[1] == "localhost"):
            raise InputError(
                f"image reference {text!r} is not pinned",
                expected="HOST/REPOSITORY@sha256:… with 64 hexadecimal digits",
                found=repr(text),
                next_step="add the registry and the digest ('skopeo inspect' shows it)",
            )
        return cls(match[1], match[2], Digest(match[3]))

    def __str__(self) -> str:
        return f"{self.host}/{self.repository}@{self.digest}"

    @property
    def address(self) -> str:
        """The registry's address; plain HTTP for one on this machine only."""
        local = self.host.partition(":")[0] in {"localhost", "127.0.0.1"}
        host = "registry-1.docker.io" if self.host == "docker.io" else self.host
        return f"{'http' if local else 'https'}://{host}"


def answers(reference: Reference, seconds: float = 3.0) -> bool:
    """Tell whether the registry answers within so many seconds."""
    try:
        found = requests.get(f"{reference.address}/v2/", timeout=seconds)
    except requests.RequestException:
        return False
    return found.status_code in {requests.codes.ok, requests.codes.unauthorized}


def pull(layout: Layout, reference: Reference, architecture: str) -> Image:
    """Store an image of a registry with its layers uncompressed, and return it.

    The configuration, and with it the image's identity, is the registry's; the manifest is written anew.

    Raises:
        MissingPartError: the registry doesn't answer, or refuses.
        InputError: a blob is not what its digest says, or the image is of a form that is not understood.
    """
    with _Session(reference) as session:
        manifest = _manifest(session, reference.digest, architecture)
        data = session.get(f"blobs/{manifest['config']['digest']}")
        config_digest = digest.parse(manifest["config"]["digest"])
        _verify(str(reference), digest.of_bytes(data), config_digest)
        config = layout.add(data, CONFIG_TYPE)
        diff_ids = json.loads(data)["rootfs"]["diff_ids"]
        layers = tuple(
            _layer(session, layout, Descriptor.from_json(layer), digest.parse(diff_id))
            for layer, diff_id in zip(manifest["layers"], diff_ids, strict=True)
        )
    written = layout.add_json(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST_TYPE,
            "config": config.to_json(),
            "layers": [layer.to_json() for layer in layers],
        },
        MANIFEST_TYPE,
    )
    return Image.read(layout, written)


class _Session:
    """Requests to one repository; gets the token that the registry asks for."""

    def __init__(self, reference: Reference) -> None:
        self._reference = reference
        self._session = requests.Session()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._session.close()

    def get(self, what: str, accept: str = "*/*") -> bytes:
        with self.open(what, accept) as answer:
            return bytes(answer.raw.read(_LARGEST_MANIFEST + 1, decode_content=True))

    def open(self, what: str, accept: str = "*/*") -> requests.Response:
        url = f"{self._reference.address}/v2/{self._reference.repository}/{what}"
        try:
            answer = self._session.get(url, headers={"Accept": accept}, stream=True, timeout=_TIMEOUT)
            if answer.status_code == requests.codes.unauthorized:
                self._log_in(answer.headers.get("WWW-Authenticate", ""))
                answer = self._session.get(url, headers={"Accept": accept}, stream=True, timeout=_TIMEOUT)
        except requests.RequestException as error:
            raise self._refusal(type(error).__name__) from error
        if answer.status_code != requests.codes.ok:
            raise self._refusal(f"HTTP status {answer.status_code}")
        return answer

    def _log_in(self, challenge: str) -> None:
        fields = dict(re.findall(r'(\w+)="([^"]*)"', challenge))
        if not challenge.lower().startswith("bearer") or not fields.get("realm", "").startswith("https://"):
            raise self._refusal("a wish for a password")
        asked = {name: fields[name] for name in ("service", "scope") if name in fields}
        answer = requests.get(fields["realm"], params=asked, timeout=_TIMEOUT)
        if answer.status_code != requests.codes.ok:
            raise self._refusal(f"HTTP status {answer.status_code} for a token")
        value = answer.json()
        self._session.headers["Authorization"] = f"Bearer {value.get('token') or value['access_token']}"

    def _refusal(self, found: str) -> MissingPartError:
        return MissingPartError(
            f"{self._reference} can't be pulled",
            expected="the registry to give it",
            found=found,
            next_step="check the network and the name, or build with '--base debian'",
        )


def _manifest(session: _Session, wanted: Digest, architecture: str) -> Mapping[str, Any]:
    data = session.get(f"manifests/{wanted}", ", ".join((*_MANIFESTS, *_INDEXES)))
    _verify("a manifest", digest.of_bytes(data), wanted)
    manifest = cast(Mapping[str, Any], json.loads(data))
    if manifest.get("mediaType") in _INDEXES or "manifests" in manifest:
        for entry in manifest["manifests"]:
            platform = entry.get("platform", {})
            if platform.get("os") == "linux" and platform.get("architecture") == architecture:
                return _manifest(session, digest.parse(entry["digest"]), architecture)
        raise InputError(
            f"image {wanted} doesn't run here",
            expected=f"one for linux/{architecture}",
            found="only others",
            next_step="build with '--base debian'",
        )
    return manifest


def _layer(session: _Session, layout: Layout, layer: Descriptor, diff_id: Digest) -> Descriptor:
    if layout.has(diff_id):
        return Descriptor(LAYER_TYPE, diff_id, layout.path(diff_id).stat().st_size)
    with tempfile.TemporaryFile() as packed:
        with session.open(f"blobs/{layer.digest}") as answer:
            shutil.copyfileobj(answer.raw, packed)
        packed.seek(0)
        found = Digest(f"sha256:{hashlib.file_digest(packed, 'sha256').hexdigest()}")
        _verify("a layer", found, layer.digest)
        packed.seek(0)
        compressed = layer.media_type.endswith("gzip")
        if not compressed and not layer.media_type.endswith("tar"):
            raise InputError(
                f"layer {layer.digest} can't be read",
                expected="gzip or no compression",
                found=layer.media_type,
                next_step="publish the image with gzip layers",
            )
        plain = cast(IO[bytes], gzip.GzipFile(fileobj=packed)) if compressed else packed
        with layout.writer() as blob:
            while data := plain.read(1 << 20):
                blob.write(data)
            _verify("an uncompressed layer", blob.digest, diff_id)
    return Descriptor(LAYER_TYPE, blob.digest, blob.size)


def _verify(what: str, found: Digest, expected: Digest) -> None:
    if found != expected:
        raise InputError(
            f"{what} is not what its digest says",
            expected=expected,
            found=found,
            next_step="pull it again; if this stays, don't trust the registry",
        )
