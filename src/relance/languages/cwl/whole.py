"""A workflow that can't be compiled, made into one rule in which cwltool runs it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

import yaml

from relance.errors import InputError
from relance.languages.cwl import documents
from relance.languages.cwl.given import Given
from relance.languages.cwl.parameters import Parameters
from relance.languages.model import Json

PLACE = "cwl"
"""Folder of the workflow's own files."""
RULE = "workflow"
_REFERENCES = ("run", "$import", "$include")
_SCRIPTED = ("InlineJavascriptRequirement", "ExpressionTool")
_SNAKEFILE = """# @SOURCE@ isn't compiled: cwltool runs it as one.
import json
import os
import sys
from pathlib import Path


configfile: "config.yaml"


# cwltool lies beside the Python that runs this, which need not be on the path.
os.environ["PATH"] += os.pathsep + str(Path(sys.executable).parent)


def files(value):
    if isinstance(value, list):
        return [path for one in value for path in files(one)]
    if not isinstance(value, dict):
        return []
    own = [value["path"]] if value.get("class") in ("File", "Directory") and "path" in value else []
    return own + [path for one in value.values() for path in files(one)]


rule workflow:
    input:
@INPUTS@
        files(config["parameters"]),
    output:
        folder=directory("outputs"),
        told="outputs.json",
        job="job.json",
    log:
        "logs/workflow.log",
    params:
        job=json.dumps(config["parameters"], sort_keys=True),
    shell:
        r\"\"\"
        set -euo pipefail
        for program in @PROGRAMS@; do
            command -v "$program" > /dev/null || {{ echo "$program isn't there" > {log}; exit 3; }}
        done
        mkdir -p .snakemake {output.folder}  # cwltool makes it only for files
        TMPDIR=$(mktemp -d "$PWD/.snakemake/cwltool-XXXXXX")
        export TMPDIR
        images=(@IMAGES@)
        kind=apptainer
        programs=$(command -v apptainer || true); programs=${{programs%/*}}
        [ -n "$programs" ] || kind=""
        if [ -f "$programs/settings.tsv" ]; then  # what relance puts in Apptainer's place
            kind=$(sed -n 's/^engine\\t//p' "$programs/settings.tsv")
            PATH=:$PATH:; PATH=${{PATH//":$programs:"/:}}; PATH=${{PATH#:}}; PATH=${{PATH%:}}
        fi
        if [ "${{#images[@]}}" -eq 0 ]; then
            kind=""
        elif [[ $kind = apptainer || -z $kind ]] && [ -z "${{CWL_SINGULARITY_CACHE:-}}" ]; then
            for program in podman docker; do  # images that lie there needn't be fetched
                "$program" image inspect "${{images[@]}}" > /dev/null 2>&1 && kind=$program && break
            done
        fi
        export CWL_SINGULARITY_CACHE="${{CWL_SINGULARITY_CACHE:-$PWD/.images}}"
        mkdir -p "$CWL_SINGULARITY_CACHE"
        tidy() {{
            # A container that has just ended may still hold its folder for a moment.
            for _ in 1 2 3 4 5; do rm -rf "$TMPDIR" 2> /dev/null && break || sleep 1; done
            rmdir "$CWL_SINGULARITY_CACHE" 2> /dev/null || true
        }}
        trap tidy EXIT
        engine=()
        if [ "$kind" = broker ]; then
            echo "cwltool can't run containers in a sandbox" > {log}
            exit 3
        elif [ "$kind" = podman ] && [ "$(id -u)" = 0 ]; then  # cwltool asks for what root's Podman can't
            mkdir "$TMPDIR/bin"
            ln -s "$(command -v podman)" "$TMPDIR/bin/docker"
            PATH=$TMPDIR/bin:$PATH
        elif [ "$kind" = podman ]; then
            engine=(--podman)
        elif [ "$kind" = apptainer ]; then
            engine=(--singularity)
        elif [ "$kind" = plain ]; then
            engine=(--no-container)
        fi
        printf '%s\\n' {params.job:q} > {output.job}
        told=$(cwltool "${{engine[@]}}" --tmpdir-prefix "$TMPDIR/" --tmp-outdir-prefix "$TMPDIR/" \\
            --outdir {output.folder} @WORKFLOW@ {output.job} 2> {log})
        told=${{told//"file://$PWD/"/}}
        printf '%s\\n' "${{told//"$PWD/"/}}" > {output.told}
        \"\"\"
"""


@dataclass(frozen=True)
class Whole:
    """A workflow that is run as one.

    texts: Its files, by their paths.
    copies: Other files and folders, by the paths that they are copied to.
    parameters: What it is run with.
    """

    texts: dict[str, str]
    copies: dict[str, Path]
    parameters: dict[str, Json]


def whole(toplevel: Path, file: str, several: Iterable[Parameters]) -> Whole:
    """Return a workflow, its files and what it is given, for cwltool to run.

    Args:
        toplevel: Folder that holds all that the workflow refers to.
        file: Name of the specification, relative to it; `file#name` takes one of several processes.
        several: Parameters; the later ones count.

    Raises:
        InputError: something isn't the language's, isn't there, or lies elsewhere.
        MissingPartError: the library that reads the language isn't installed.
    """
    name = file.partition("#")[0]
    gathered = _Gathered(toplevel.resolve())
    gathered.document(toplevel.resolve() / name)
    given = Given()
    values: dict[str, Json] = {}
    for one in several:
        values |= given.parameters(one.values, {}, one.folders)
    copies = {f"{PLACE}/{place}": source for place, source in sorted(gathered.found.items())}
    text = _SNAKEFILE.replace("@INPUTS@", "\n".join(f"        {json.dumps(place)}," for place in copies))
    text = text.replace("@IMAGES@", " ".join(map(_quoted, sorted(gathered.images))))
    text = text.replace("@PROGRAMS@", "cwltool node" if gathered.scripted else "cwltool")
    text = text.replace("@WORKFLOW@", _quoted(f"{PLACE}/{file}")).replace("@SOURCE@", " ".join(name.split()))
    config = {"parameters": values}
    texts = {"Snakefile": text, "config.yaml": yaml.safe_dump(config, sort_keys=False, allow_unicode=True)}
    return Whole(texts | given.texts, copies | given.copies, values)


@dataclass
class _Gathered:
    """The files that a document refers to, and those that these refer to."""

    toplevel: Path
    found: dict[str, Path] = field(default_factory=dict)
    scripted: bool = False
    images: set[str] = field(default_factory=set)

    def document(self, path: Path) -> None:
        place = self._place(path)
        if place in self.found:
            return
        self.found[place] = path
        if path.is_dir():
            for one in path.rglob("*"):
                self._place(one.resolve())
            return
        try:
            content = documents.read(path, Path(place), toplevel=self.toplevel).value
        except InputError:
            if documents.is_cwl(path):
                raise
            return  # data, or text to include
        for key, value, around in _texts(content):
            self.scripted = self.scripted or value in _SCRIPTED or key in _SCRIPTED
            if key == "dockerPull" and value:
                self.images.add(value)
            is_file = key in {"path", "location"} and around.get("class") in ("File", "Directory")
            if key in _REFERENCES or is_file:
                name = value.partition("#")[0] if key == "run" else value
                if name:
                    self.document(self._target(name, path, place))

    def _target(self, name: str, path: Path, place: str) -> Path:
        split = urlsplit(name)
        target = path.parent / unquote(split.path)
        if split.scheme or split.path.startswith("/") or not target.exists():
            found = "an absolute path" if split.path.startswith("/") else "none"
            raise InputError(
                f"{place}: {name!r} can't be used",
                expected="a file, relative to this one",
                found="an address" if split.scheme else found,
                next_step="fetch it, or name its toplevel with --toplevel",
            )
        return target.resolve()

    def _place(self, path: Path) -> str:
        if not path.is_relative_to(self.toplevel):
            raise InputError(
                f"{path.name} isn't in the toplevel",
                expected=f"a file in {self.toplevel}",
                found="another place",
                next_step="name its toplevel with --toplevel",
            )
        return os.fspath(path.relative_to(self.toplevel))


def _texts(value: Json) -> Iterator[tuple[str, str, dict[str, Json]]]:
    """Give every text in a document with its key and the mapping that it stands in."""
    if isinstance(value, list):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            yield key, item if isinstance(item, str) else "", value
            yield from _texts(item)


def _quoted(text: str) -> str:
    """Return a path for the shell in Snakemake's text."""
    plain = text.replace("'", "'\\''").replace("{", "{{").replace("}", "}}")
    return f"'{plain}'"
