from pathlib import Path

import pytest

from relance.errors import InputError
from relance.languages import recast_atlas

ENTRY = """name: group/analysis
metadata: {author: Somebody, short_description: A search}
spec: {workflow: workflow.yml, toplevel: specs}
example_inputs:
  default:
    initdata: {did: 404958, xsec_in_pb: 0.00122, files: [a, b], signal file: x.root}
    dataopts: {initdir: inputs}
  newsignal:
    initdata: {did: 404951, xsec_in_pb: 0.001735}
results:
- {name: CLs 95%, relpath: fit/limit.json, load_yaml: true}
tests:
- {name: one, description: of it alone, spec: 'steps.yml#/one', parameters: {a: 1}}
"""


def read(folder: Path, text: str = ENTRY) -> recast_atlas.Entry:
    (folder / "recast.yml").write_text(text)
    return recast_atlas.read(folder / "recast.yml")


def test_an_entry_is_read_with_its_cases_tests_and_results(tmp_path: Path) -> None:
    entry = read(tmp_path)
    assert (entry.name, entry.title, entry.author) == ("group/analysis", "A search", "Somebody")
    assert entry.toplevel == tmp_path / "specs"
    assert entry.examples["default"].inputs == "inputs"
    assert entry.examples["newsignal"].parameters["did"] == 404951
    assert entry.tests[0].step == "steps.yml#/one"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "toplevel: specs",
            "toplevel: 'github:a/b@master'",
            "recast.yml:3: the workflow isn't on this machine",
        ),
        ("toplevel: specs", "toplevel: ../..", "recast.yml:3: the toplevel lies outside"),
        ("relpath: fit/limit.json", "relpath: ../x", "recast.yml:11: a result lies outside"),
        ("initdata: {did: 404951", "initdat: {did: 404951", "recast.yml:8: an example has no 'initdata'"),
    ],
)
def test_what_can_not_be_used_is_refused_by_line(old: str, new: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError) as error:
        read(tmp_path, ENTRY.replace(old, new))
    assert message in str(error.value)


def test_keys_that_recast_atlas_passes_over_are_told(tmp_path: Path) -> None:
    entry = read(tmp_path, ENTRY.replace("results:", "result:"))
    assert entry.ignored == ("recast.yml:1: 'result' has no effect, as in recast-atlas",)
    assert entry.results == ()


def test_a_workflow_that_lies_elsewhere_is_taken_from_the_folder_that_is_named(tmp_path: Path) -> None:
    (tmp_path / "recast.yml").write_text(ENTRY.replace("toplevel: specs", "toplevel: 'github:a/b@master'"))
    assert recast_atlas.read(tmp_path / "recast.yml", tmp_path / "clone").toplevel == tmp_path / "clone"


def test_a_list_of_entries_is_refused_with_what_it_lists(tmp_path: Path) -> None:
    content = {"name": "ours", "recast_catalogue_entries": ["a/recast.yml", "b/recast.yml"]}
    with pytest.raises(InputError, match=r"found a/recast\.yml, b/recast\.yml, expected one of them"):
        recast_atlas.refuse_index(tmp_path / "index.yml", content)
    recast_atlas.refuse_index(tmp_path / "recast.yml", {"name": "one", "spec": {}})
