"""What a manifest or index of OCI says of a blob."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from relance import digest
from relance.errors import InputError
from relance.model import Digest

INDEX_TYPE = "application/vnd.oci.image.index.v1+json"
MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar"
LARGEST_MANIFEST = 4 << 20
"""Bytes; registries refuse a manifest or index that is larger."""


@dataclass(frozen=True)
class Descriptor:
    """What a manifest or index says of a blob; size in bytes."""

    media_type: str
    digest: Digest
    size: int
    artifact_type: str | None = None
    annotations: Mapping[str, str] = field(default_factory=dict, hash=False)
    platform: Mapping[str, Any] | None = field(default=None, hash=False)
    """Of an image in an index: `os`, `architecture` and what else OCI knows."""

    def to_json(self) -> dict[str, Any]:
        """Return the descriptor as OCI writes it."""
        value: dict[str, Any] = {"mediaType": self.media_type, "digest": self.digest, "size": self.size}
        if self.artifact_type is not None:
            value["artifactType"] = self.artifact_type
        if self.annotations:
            value["annotations"] = dict(self.annotations)
        if self.platform is not None:
            value["platform"] = dict(self.platform)
        return value

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Descriptor:
        """Read a descriptor as OCI writes it.

        Raises:
            InputError: a field is missing or of another type.
        """
        try:
            size = int(value["size"])
            artifact, platform = value.get("artifactType"), value.get("platform")
            found = cls(
                str(value["mediaType"]),
                digest.parse(str(value["digest"])),
                size,
                None if artifact is None else str(artifact),
                {str(key): str(text) for key, text in (value.get("annotations") or {}).items()},
                None if platform is None else dict(platform),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise _broken(value) from error
        if size < 0:
            raise _broken(value)
        return found


def _broken(value: object) -> InputError:
    return InputError(
        "a descriptor of an OCI layout is broken",
        expected="mediaType, digest and size",
        found=repr(value)[:200],
        next_step="get the layout again",
    )
