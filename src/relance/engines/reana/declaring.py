"""A reana.yaml for an analysis that has none, from its specification."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import yaml

from relance.errors import InputError
from relance.specification.model import Outside, Specification

_RESOURCES = {"kerberos": "kerberos", "voms": "voms_proxy"}
_REPOSITORY = re.compile(r"(?:/cvmfs/)?([A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+)/?")


def declaration(
    specification: Specification,
    files: Iterable[str],
    outputs: Iterable[str],
    own: Iterable[str] | None = None,
) -> str:
    """Return the text of a reana.yaml that runs an analysis of Snakemake as it is.

    Args:
        specification: the analysis's; what it says of the outside becomes resources of the workflow.
        files: what is sent, relative to the analysis.
        outputs: files that are fetched.
        own: those that are the workflow's, if a server can't read it from all that is sent; None: it can.

    Raises:
        InputError: the specification needs CVMFS and doesn't say which repository.
    """
    resources = dict(_resources(specification.outside))
    workflow: dict[str, object] = {"type": "snakemake", "file": specification.workflow.file}
    if own is not None:
        workflow["files"] = sorted(own)
    content = {
        "inputs": {"files": sorted(files)},
        "workflow": {**workflow, "resources": resources} if resources else workflow,
        "outputs": {"files": sorted(outputs)},
    }
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True)


def _resources(needs: Iterable[Outside]) -> Iterator[tuple[str, object]]:
    repositories = []
    for need in needs:
        if need.kind in _RESOURCES:
            yield _RESOURCES[need.kind], True
        elif need.kind == "cvmfs":
            found = _REPOSITORY.fullmatch(need.name)
            if found is None:
                raise InputError(
                    "the analysis can't be declared for REANA",
                    expected="the repository of CVMFS that it needs, such as atlas.cern.ch",
                    found=f"{need.name!r} as the name under 'outside' of its specification",
                    next_step="write the repository there, one entry for each, and capture again",
                )
            repositories.append(found[1])
    if repositories:
        yield "cvmfs", sorted(set(repositories))
