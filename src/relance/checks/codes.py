"""The codes of findings: each stands for one thing that can be wrong, and keeps its meaning for ever."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How bad a finding is, the worst first."""

    ERROR = "error"
    """It fails, or its result is wrong."""
    WARNING = "warning"
    """It may fail, or its result may be wrong."""
    NOTE = "note"
    """It could be better."""

    @property
    def rank(self) -> int:
        """Return 0 for the worst, then 1, 2."""
        return list(Severity).index(self)


@dataclass(frozen=True)
class Code:
    """What a code stands for."""

    name: str
    severity: Severity
    title: str
    """What is wrong, in a line."""
    only_for: str | None = None
    """The target that it matters for; None: any."""


_REANA = "reana"


def _codes(*rows: tuple[str, Severity, str, str | None]) -> dict[str, Code]:
    return {name: Code(name, severity, title, only_for) for name, severity, title, only_for in rows}


_E, _W, _N = Severity.ERROR, Severity.WARNING, Severity.NOTE

CODES = _codes(
    ("RL001", _E, "a specification can't be read", None),
    ("RL002", _E, "Snakemake refuses the analysis", None),
    ("RL003", _N, "something wasn't looked at", None),
    ("RL004", _W, "what is to be ignored is no code", None),
    ("RL101", _E, "a stage or rule is named that isn't there: yadage leaves out what waits for it", None),
    ("RL102", _E, "an output is named that no such stage publishes", None),
    ("RL103", _E, "a placeholder stands for nothing", None),
    ("RL104", _E, "stages wait for each other, so none of them runs", None),
    ("RL105", _E, "lists of unequal length are zipped: yadage drops what is left over", None),
    ("RL106", _W, "nobody uses a parameter of the workflow", None),
    ("RL107", _E, "a parameter of the workflow is asked for and isn't given", None),
    ("RL108", _N, "a step doesn't use a parameter that its stage gives it", None),
    ("RL109", _E, "a text with braces can't be filled in", None),
    ("RL110", _E, "what is scattered is no list", None),
    ("RL111", _N, "a stage has cases, and none that holds always", None),
    ("RL112", _E, "a command has a `$` that REANA can't fill in", None),
    ("RL113", _E, "an empty list is scattered: yadage leaves the stage out", None),
    ("RL114", _W, "`step` reads a stage of several jobs, and is for one", None),
    ("RL201", _W, "an image has a tag that moves (`latest`, `master`), or none", None),
    ("RL202", _N, "an image has a tag and no digest", None),
    ("RL203", _W, "a rule names no image: REANA takes one of its own without a word", _REANA),
    ("RL204", _E, "an image isn't in a registry", _REANA),
    ("RL205", _W, "an image without `docker://` is a file's name to Snakemake", None),
    ("RL206", _W, "an image is made for another user than the one that REANA runs it as", _REANA),
    ("RL207", _N, "an image is built here and not yet published", _REANA),
    ("RL301", _E, "`script:`, `run:`, `notebook:` and `wrapper:` hang, or run outside any container", _REANA),
    ("RL302", _E, "`benchmark:` fails: nobody writes its file", _REANA),
    ("RL303", _E, "a command writes into a folder that nobody makes, or nobody in time", _REANA),
    ("RL304", _W, "nobody is seen to make the folder of an output, or not in time", _REANA),
    ("RL305", _W, "a pipe hides that its first commands fail", None),
    ("RL306", _W, "a command needs to be root", _REANA),
    ("RL307", _E, "`sudo` is refused", _REANA),
    ("RL308", _N, "`cd /…` leaves the workspace, of which REANA's client warns", _REANA),
    ("RL309", _W, "a local rule runs outside its container", _REANA),
    ("RL310", _W, "`shadow:` is passed over", _REANA),
    ("RL311", _E, "`pipe()` and `service()` need jobs on one machine", _REANA),
    ("RL312", _W, "the Snakefile needs a newer Snakemake than REANA 0.9 has (7.32.4)", _REANA),
    ("RL313", _W, "a command runs a script of the home folder, which is another in each runtime", None),
    ("RL314", _W, "a step needs a proxy or ticket, told in words that REANA passes over", _REANA),
    ("RL401", _E, "a path is absolute, or leads out", None),
    ("RL402", _E, "a path is named and isn't there", None),
    ("RL403", _E, "a path is named twice", None),
    ("RL404", _W, "an output is among the inputs: it is there before anything runs", None),
    ("RL405", _W, "a key is unknown, and passed over", None),
    ("RL406", _E, "a value isn't one that REANA knows", None),
    ("RL407", _W, "an operational option is none of this engine's", None),
    ("RL408", _E, "the workflow reads a file that reana.yaml doesn't send", None),
    ("RL409", _W, "an output is named that no rule makes", None),
    ("RL410", _W, "a path is one that an engine keeps for itself", None),
    ("RL501", _E, "an input isn't there, and nobody makes it", None),
    ("RL502", _W, "a command uses another job's product that isn't among its inputs", None),
    ("RL503", _W, "a path is one of this machine", None),
    ("RL601", _E, "a secret is written out", None),
)
"""By name."""
