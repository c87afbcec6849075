"""Writes what the jobs of a stage publish, once they have run.

Its arguments: the configuration, the pattern of the jobs, each wildcard with its number, the file.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from relance.languages.model import FromYaml, Json, PlanError  # noqa: E402
from relance.languages.support import patterns, rules  # noqa: E402
from relance.languages.support.places import WORK  # noqa: E402
from relance.languages.support.planning import Node, Planner, UnpublishedError  # noqa: E402


def main(arguments: list[str]) -> None:
    """Write the file that the arguments ask for."""
    config, pattern, *numbers, file = arguments
    given = {name: int(number) for name, number in zip(numbers[::2], numbers[1::2], strict=True)}
    plan = rules.planner(Path.cwd(), json.loads(config))
    found = {node.name: _published(plan, node) for node in _nodes(plan, pattern, given)}
    Path(file).write_text(json.dumps(found, indent=1, sort_keys=True) + "\n", "utf-8")


def _nodes(plan: Planner, pattern: str, numbers: dict[str, int]) -> list[Node]:
    *above, (name, _) = patterns.numbered(pattern, numbers)
    while True:
        try:
            entries = plan.entries(plan.scope(tuple(above)), name)
        except UnpublishedError as missing:
            path = Path(f"published/{missing.scope.within(missing.stage)}.json")
            plan.published[missing.scope.folder, missing.stage] = rules.load(path)
        else:
            return [entry for entry in entries if isinstance(entry, Node)]


def _published(plan: Planner, node: Node) -> dict[str, Json]:
    if isinstance(node.step.publisher, FromYaml):
        # As text: this Python may have no reader of YAML, and Snakemake's has.
        path = f"{WORK}/{node.name}/{node.step.publisher.file}"
        try:
            return {"yaml": plan.places.signed_text(plan.places.text(path))}
        except OSError as error:
            message = f"the job '{node.name}' hasn't written '{node.step.publisher.file}', which it publishes"
            raise PlanError(message) from error
    return {"value": plan.publish(node)}


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except PlanError as error:
        sys.exit(f"error: {error}")
