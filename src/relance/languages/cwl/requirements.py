"""What a process needs besides its command, also of what it stands in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from relance.languages.cwl import documents, limits
from relance.languages.cwl.model import Resources, Staged
from relance.languages.model import Json
from relance.languages.references import Part

_HEEDED = (
    "DockerRequirement",
    "EnvVarRequirement",
    "InitialWorkDirRequirement",
    "InlineJavascriptRequirement",
    "MultipleInputFeatureRequirement",
    "ResourceRequirement",
    "ScatterFeatureRequirement",
    "ShellCommandRequirement",
    "StepInputExpressionRequirement",
    "SubworkflowFeatureRequirement",
)
_NOTED = ("NetworkAccess", "SoftwareRequirement", "ToolTimeLimit", "WorkReuse")


@dataclass(frozen=True)
class Requirements:
    """Requirements and hints in force, by their classes; the innermost counts, and a requirement first."""

    needed: Mapping[str, Part] = field(default_factory=dict)
    hinted: Mapping[str, Part] = field(default_factory=dict)
    notes: tuple[tuple[str, str], ...] = ()
    """What isn't heeded: where it stands, and what it is."""
    types: Mapping[str, Part] = field(default_factory=dict)
    """Types that have names."""

    def within(self, part: Part) -> Requirements:
        """Return what is in force in a process or step.

        Raises:
            UnsupportedError: something is required that can't be had.
        """
        needed, hinted, notes, types = dict(self.needed), dict(self.hinted), [], dict(self.types)
        for key, found in (("requirements", needed), ("hints", hinted)):
            for written, one in documents.listed(part.get(key), "class"):
                name = documents.local(written)
                if name == "LoadListingRequirement" and _listing(one) == "no_listing":
                    continue
                if name == "SchemaDefRequirement":
                    types |= _types(one)
                elif name in _NOTED or (key == "hints" and name not in _HEEDED):
                    notes.append((one.where, f"'{name}' isn't heeded"))
                elif name not in _HEEDED:
                    expected = "one that a container, a shell or Snakemake can give"
                    what = f"the requirement '{name}' isn't supported"
                    raise limits.unsupported(one, what, found=name, expected=expected)
                else:
                    found[name] = one
        return Requirements(needed, hinted, (*self.notes, *notes), types)

    def get(self, name: str) -> Part | None:
        """Return a requirement."""
        return self.needed.get(name, self.hinted.get(name))

    def image(self) -> str | None:
        """Return the image that a tool runs in.

        Raises:
            UnsupportedError: it is made or loaded, not pulled.
        """
        part = self.get("DockerRequirement")
        if part is None:
            return None
        limits.only(part, "DockerRequirement", "class", "dockerPull", "dockerImageId")
        pull = part.get("dockerPull")
        if pull is None:
            raise limits.unsupported(
                part,
                "an image has no 'dockerPull'",
                found="none",
                expected="it as a registry names it",
            )
        return " ".join(pull.text().split())

    def environment(self, version: str) -> tuple[tuple[str, str], ...]:
        """Return the environment variables that a tool's command sees.

        Raises:
            UnsupportedError: a value is JavaScript.
        """
        part = self.get("EnvVarRequirement")
        found = []
        for name, one in documents.listed(None if part is None else part.get("envDef"), "envName"):
            value = one.need("envValue", "a variable") if isinstance(one.value, dict) else one
            found.append((name, limits.text(value, version)))
        return tuple(found)

    def resources(self, version: str) -> Resources:
        """Return what a job asks for.

        Raises:
            UnsupportedError: it is JavaScript.
        """
        part = self.get("ResourceRequirement")
        least: dict[str, Json] = {"cores": 1, "ram": 1024 if version == "v1.0" else 256}
        least |= {"tmpdir": 1024, "outdir": 1024}
        for name in least:
            for key in (f"{name}Max", f"{name}Min"):
                one = part.get(key) if part is not None else None
                if one is not None and one.value:
                    least[name] = limits.simple(one, version)
        return Resources(**least)

    def staged(self, version: str) -> tuple[Staged, ...]:
        """Return what lies in a job's folder when its command begins.

        Raises:
            UnsupportedError: it can't be compiled.
        """
        part = self.get("InitialWorkDirRequirement")
        listing = part.get("listing") if part is not None else None
        if listing is None:
            return ()
        if isinstance(listing.value, str):
            return (Staged(limits.text(listing, version)),)
        return tuple(_staged(one, version) for one in listing.each() if one.value is not None)


def _staged(part: Part, version: str) -> Staged:
    if isinstance(part.value, str):
        return Staged(limits.text(part, version))
    if "entry" not in part.mapping():
        raise limits.unsupported(
            part,
            "a file can't be put into a job's folder",
            found="it in full",
            expected="entryname and entry",
        )
    limits.only(part, "an entry", "entryname", "entry", "writable")
    name = part.get("entryname")
    return Staged(
        limits.text(part.need("entry", "an entry"), version),
        None if name is None else limits.text(name, version),
    )


def _types(part: Part) -> dict[str, Part]:
    """Return the types that a requirement names, by their last names."""
    found: dict[str, Part] = {}
    listed = [part.need("types", "SchemaDefRequirement")]
    while listed:
        one = listed.pop(0)
        if isinstance(one.value, list):
            listed = [*one.each(), *listed]
            continue
        name = documents.local(one.need("name", "a named type").text())
        if name in found and found[name].where != one.where:
            raise limits.unsupported(
                one, f"two types are called '{name}'", found=found[name].where, expected="names of their own"
            )
        found[name] = one
    return found


def _listing(part: Part) -> Json:
    return part.mapping().get("loadListing", "no_listing")
