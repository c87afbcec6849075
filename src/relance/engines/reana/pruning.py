"""What a server deletes from a workspace when it is asked to prune it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath
from typing import Any

from relance.engines.reana import paths
from relance.engines.reana.model import RemoteFile


def dispensable(
    files: Iterable[RemoteFile],
    specification: Mapping[str, Any],
    *,
    inputs: bool = False,
    outputs: bool = False,
) -> tuple[RemoteFile, ...]:
    """Return the files of a workspace that are neither inputs nor outputs, nor below one of them.

    The rule is that of the class Deleter of reana-server; a server of another mind decides for itself.

    Args:
        files: of the workspace.
        specification: the run's, as the server keeps it.
        inputs: whether inputs are deleted, too.
        outputs: whether outputs are.
    """
    sections = [name for name, too in (("inputs", inputs), ("outputs", outputs)) if not too]
    kept = {PurePosixPath(path) for name in sections for path in paths.declared(specification.get(name))}
    return tuple(
        file
        for file in files
        if kept.isdisjoint((PurePosixPath(file.path), *PurePosixPath(file.path).parents))
    )
