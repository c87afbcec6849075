"""Where yadage is: in an environment of its own, since it wants older libraries than everything else."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from relance.engines.runtimes import Ask, ask
from relance.errors import MissingPartError

VARIABLE = "RELANCE_YADAGE"
"""Names the folder of the environment."""
VERSION = "0.21.2"
"""What is tested."""

_INSTALL = (
    f"python3.11 -m venv DIR && DIR/bin/pip install yadage=={VERSION} packtivity==0.17.1 "
    f"yadage-schemas==0.11.1 && export {VARIABLE}=DIR"
)
_ASK = "import importlib.metadata as m; import yadage; print(m.version('yadage'))"


def found(environment: Mapping[str, str], ask: Ask = ask) -> tuple[Path, str]:
    """Return yadage's Python and its version.

    Raises:
        MissingPartError: nobody says where it is, or it isn't there.
    """
    folder = environment.get(VARIABLE)
    if not folder:
        raise _missing("yadage isn't there", f"its environment's folder in {VARIABLE}", "nothing")
    python = Path(folder).absolute() / "bin" / "python"
    answer = ask([str(python), "-c", _ASK])
    if answer.returncode != 0:
        said = [line for line in answer.stderr.splitlines() if line.strip()]
        raise _missing(f"{folder} can't be used", "an environment with yadage", said[-1] if said else "none")
    return python, answer.stdout.strip()


def _missing(subject: str, expected: str, was_found: str) -> MissingPartError:
    return MissingPartError(subject, expected=expected, found=was_found, next_step=f"type: {_INSTALL}")
