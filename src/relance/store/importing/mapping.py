"""What stands in for images that can't be pulled any more: `images.mapping.yaml`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from relance import schema
from relance.document import Document
from relance.errors import InputError
from relance.model import Digest
from relance.store.importing.source import Kind, Source, parse
from relance.store.registry.reference import Reference


@dataclass(frozen=True)
class Rule:
    """One entry: `use` stands for the image `name`, or for all below `prefix`.

    config: the digest that the configuration of what is used must have, if the entry says it.
    """

    use: str
    name: str = ""
    prefix: str = ""
    config: Digest | None = None


@dataclass(frozen=True)
class ImageMapping:
    """The entries of a file; paths in it are relative to `folder`."""

    rules: tuple[Rule, ...] = ()
    folder: Path = Path()


@dataclass(frozen=True)
class Mapped:
    """What is used for an image: `source` for `name`; `config` as in `Rule`; `by_rule`: a mapping says so."""

    name: str
    source: Source
    config: Digest | None = None
    by_rule: bool = False


def read(path: Path) -> ImageMapping:
    """Read a mapping file.

    Raises:
        InputError: it breaks its schema, or contradicts itself; the line is told.
    """
    document = schema.load(path, schema.bundled("images.mapping"))
    rules = tuple(_rule(document, number, entry) for number, entry in enumerate(document.value["images"]))
    seen: dict[tuple[str, str], int] = {}
    for number, rule in enumerate(rules):
        key = (rule.name, rule.prefix)
        if key in seen:
            raise _refusal(
                document, number, "each image once", f"it on {document.where('images', seen[key])}"
            )
        seen[key] = number
    return ImageMapping(rules, Path(os.path.abspath(path)).parent)  # noqa: PTH100 - without .., links kept


def mapped(name: str, mapping: ImageMapping) -> Mapped | None:
    """Return what stands in for an image, as a rule's `container:` writes it; None if nothing does.

    An entry with the image's name comes before one with a prefix, a longer prefix before a shorter one.

    Raises:
        InputError: what stands in for it isn't there, or can't be understood.
    """
    full = _full(name)
    for rule in mapping.rules:
        if rule.name and full is not None and rule.name == full:
            return Mapped(name, parse(rule.use, mapping.folder), rule.config, by_rule=True)
    if full is None:
        return None
    below = [rule for rule in mapping.rules if rule.prefix and full.startswith(f"{rule.prefix}/")]
    if not below:
        return None
    rule = max(below, key=lambda rule: len(rule.prefix))
    return Mapped(
        name, parse(f"{rule.use}{full.removeprefix(rule.prefix)}", mapping.folder), rule.config, by_rule=True
    )


def _rule(document: Document, number: int, entry: Mapping[str, Any]) -> Rule:
    if ("name" in entry) == ("prefix" in entry):
        found = "both" if "name" in entry else "neither"
        raise _refusal(document, number, "either 'name' or 'prefix'", found)
    config = Digest(entry["config"]) if "config" in entry else None
    if "name" in entry:
        full = _full(entry["name"])
        if full is None:
            raise _refusal(document, number, "the name of an image in a registry", repr(entry["name"]))
        return Rule(entry["use"], name=full, config=config)
    if config is not None:
        raise _refusal(document, number, "'config' beside a 'name' only", "it beside a 'prefix'")
    use = entry["use"].removeprefix("docker://").rstrip("/")
    try:
        source = parse(f"docker://{use}/image", Path())
    except InputError:
        source = None
    if source is None or source.kind is not Kind.REGISTRY or not source.name.startswith(f"{use}/"):
        raise _refusal(
            document, number, "a registry, such as registry.example.org/mirror", repr(entry["use"])
        )
    return Rule(f"docker://{use}", prefix=_prefix(entry["prefix"]))


def _prefix(text: str) -> str:
    return text.removeprefix("docker://").rstrip("/")


def _full(name: str) -> str | None:
    """Return the one way of writing an image's name; None for what isn't one."""
    try:
        return str(Reference.of_image(name))
    except InputError:
        return None


def _refusal(document: Document, number: int, expected: str, found: str) -> InputError:
    return InputError(
        f"{document.where('images', number)}: an entry can't be used",
        expected=expected,
        found=found,
        next_step="correct this entry",
    )
