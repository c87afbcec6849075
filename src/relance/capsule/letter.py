"""CAPSULE.md: what a capsule is, for somebody who has nothing but these bytes."""

from __future__ import annotations

from relance.capsule.model import FORMAT_VERSION, Capsule, Role
from relance.model import Digest

NAME = "CAPSULE.md"

_WORDS = {
    Role.SOURCE: "source files (the workflow, its configuration, its programs)",
    Role.INPUT: "input files",
    Role.PRODUCT: "products, made by the jobs",
    Role.LOG: "logs",
}


def text(capsule: Capsule, known_as: Digest | None = None) -> str:
    """Return the letter, in Markdown."""
    identity = capsule.specification.identity
    authors = ", ".join(author.name for author in identity.authors)
    held = [
        f"- {len(files)} {words}, {sum(file.size for file in files)} bytes"
        for role, words in _WORDS.items()
        if (files := [file for file in capsule.files if file.role is role])
    ]
    lines = [
        f"# {line(identity.title)}",
        "",
        line(f"Analysis `{identity.name}`, version {identity.version}, by {authors}. {identity.licence}."),
        "",
        "This is a *capsule* of the program relance (format version "
        f"{FORMAT_VERSION}): a data analysis kept so that it can be run again. It holds",
        "",
        *held,
        f"- {len(capsule.images)} container images (OCI), in which the jobs ran",
        f"- {len(capsule.jobs)} jobs: what ran, in which image, on which files",
        "",
        *([f"Its identity is `{known_as}`.", ""] if known_as else []),
        "## Run it again",
        "",
        "    sh replay.sh",
        "",
        "needs no relance and no network: a POSIX shell and Apptainer, Podman or Docker. It lays the files",
        "into a folder, runs each job in its image, and tells of each product whether its bytes are those of",
        "then. Unpack the capsule's .tar file first, or check it out with its images.",
        "",
        "With relance: `relance verify --rerun`, `relance recast`, `relance inspect`.",
        "",
        "## Read it by hand",
        "",
        "- `jobs.json`: per job its command (given to `bash -c` after `set -euo pipefail; `, or, where the",
        "  image has no bash, to `sh -c` after `set -eu; `), image, inputs, outputs. `needs` are positions",
        "  of earlier jobs in the list.",
        "- In a .tar or a registry the capsule is an OCI image layout: `index.json` names an index, whose",
        "  first manifest names the documents capsule.json, jobs.json, files.json, specification.yaml and",
        "  replay.sh. Every blob lies in `blobs/sha256/` under the sha256 of its bytes. files.json gives the",
        "  path and the sha256 of every file; one above 1 GiB lies there in parts to be joined.",
        "- specification.yaml says what may be changed (inputs, parameters with units) and what the results",
        "  are.",
    ]
    for title, sentences in (
        ("What is not known of the run", capsule.unknown),
        ("What a rerun needs and the capsule doesn't hold", capsule.not_closed),
    ):
        if sentences:
            lines += ["", f"## {title}", "", *(f"- {line(sentence)}" for sentence in sentences)]
    return "\n".join([*lines, ""])


def line(text: str, keeping: str = "") -> str:
    """Return text as one line without control characters but those in `keeping`, whoever wrote it."""
    return "".join(one if one.isprintable() or one in keeping else " " for one in text)
