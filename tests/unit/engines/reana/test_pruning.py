"""What a server deletes from a workspace when it is asked to prune it."""

import pytest

from relance.engines.reana.model import RemoteFile
from relance.engines.reana.pruning import dispensable

PATHS = (
    "Snakefile",
    "data/one.txt",
    "data2/one.txt",
    "logs/one.log",
    "out/deep/a.txt",
    "out.txt",
    "table/b.csv",
)
SPECIFICATION = {
    "inputs": {"files": ["./Snakefile"], "directories": ["data/"]},
    "outputs": {"files": ["out.txt", "table"], "directories": ["out"]},
}


@pytest.mark.parametrize(
    ("inputs", "outputs", "gone"),
    [
        (False, False, {"data2/one.txt", "logs/one.log"}),
        (True, False, {"data2/one.txt", "logs/one.log", "Snakefile", "data/one.txt"}),
        (False, True, {"data2/one.txt", "logs/one.log", "out/deep/a.txt", "out.txt", "table/b.csv"}),
        (True, True, set(PATHS)),
    ],
)
def test_what_is_neither_input_nor_output_is_deleted(inputs: bool, outputs: bool, gone: set[str]) -> None:
    files = [RemoteFile(path, 1, "") for path in PATHS]
    found = dispensable(files, SPECIFICATION, inputs=inputs, outputs=outputs)
    assert {file.path for file in found} == gone


def test_a_whole_workspace_that_is_an_output_is_kept() -> None:
    assert dispensable([RemoteFile("a/b", 1, "")], {"outputs": {"directories": ["."]}}) == ()


@pytest.mark.parametrize(
    "section", [None, [], "all", {"files": "a"}, {"files": [1, None], "directories": {}}]
)
def test_a_server_that_tells_no_lists_keeps_nothing(section: object) -> None:
    files = (RemoteFile("a", 1, ""),)
    assert dispensable(files, {"inputs": section, "outputs": section}) == files
