"""How findings are written, and how they are silenced."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from relance.checks import checking, report, silencing, subject
from relance.checks.codes import CODES, Severity
from relance.checks.files import Files
from relance.checks.finding import Finding, Place, Target, ordered
from relance.checks.report import Report
from relance.errors import InputError

ROOT = Path(__file__).parents[3]
SCHEMA = json.loads((ROOT / "specs/schemas/check-report.schema.json").read_text("utf-8"))
TEXT = st.text(min_size=1, max_size=20)
PLACES = st.builds(Place, TEXT, st.none() | st.integers(1, 99), st.none() | st.integers(1, 99))
FINDINGS = st.builds(Finding, st.sampled_from(sorted(CODES)), PLACES, TEXT, TEXT, TEXT, TEXT)


def made(*findings: Finding, root: Path = ROOT) -> Report:
    return Report(root, Target.REANA, findings, (), ("Snakefile",))


@given(st.lists(FINDINGS, max_size=5))
def test_json_follows_its_schema_and_has_every_finding(findings: list[Finding]) -> None:
    content = json.loads(report.as_json(made(*findings)))
    Draft202012Validator(SCHEMA).validate(content)
    assert [one["code"] for one in content["findings"]] == [one.code for one in findings]
    assert sum(content["counts"].values()) == len(findings)


@given(st.lists(FINDINGS, max_size=5))
def test_github_gets_one_command_a_line_whatever_a_finding_holds(findings: list[Finding]) -> None:
    text = report.as_github(made(*findings), Severity.NOTE, lambda file: file)
    lines = re.split(r"[\r\n]", text)
    assert len(lines) == len(findings) + 1
    for line, finding in zip(lines, findings, strict=False):
        command, properties, message = re.fullmatch(r"::(\w+) ([^:]*)::(.*)", line, re.DOTALL).groups()
        assert command == {"note": "notice"}.get(finding.severity, finding.severity)
        given = dict(one.split("=", 1) for one in properties.split(","))
        assert unescaped(given["file"]) == finding.place.file
        assert given["title"] == finding.code
        assert unescaped(message) == str(finding)


def unescaped(text: str) -> str:
    for sign in "\r\n:,":
        text = text.replace(f"%{ord(sign):02X}", sign)
    return text.replace("%25", "%")


def test_text_has_place_severity_code_and_what_to_do() -> None:
    found = Finding("RL201", Place("a/Snakefile", 3, 5), "the image", "a digest", "none", "add it")
    note = Finding("RL202", Place("b"), "x", "y", "z", "w")
    text = report.as_text(made(found, note), Severity.WARNING, lambda file: f"here/{file}")
    assert text.splitlines() == [
        "here/a/Snakefile:3:5: warning RL201: the image: found none, expected a digest; add it",
        "0 errors, 1 warning, 1 note in 1 file; 1 not shown: --level note",
    ]


def test_warnings_fail_only_if_it_is_strict() -> None:
    warned = made(Finding("RL201", Place("x"), "a", "b", "c", "d"))
    assert not warned.fails(strict=False)
    assert warned.fails(strict=True)
    assert made(Finding("RL101", Place("x"), "a", "b", "c", "d")).fails(strict=False)


SILENT = """\
one  # relance: ignore[RL101]
# relance: ignore[RL102,  RL201]
# and why
two
three
# relance: ignore-file[RL301]
"""


@pytest.mark.parametrize(
    ("code", "line", "silent"),
    [
        ("RL101", 1, True),
        ("RL101", 4, False),
        ("RL102", 4, True),
        ("RL201", 4, True),
        ("RL201", 5, False),
        ("RL301", 5, True),
        ("RL301", None, True),
        ("RL302", 5, False),
        ("RL202", 5, True),
    ],
)
def test_a_comment_silences_its_line_the_next_or_the_file(
    code: str, line: int | None, silent: bool, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text(SILENT)
    finding = Finding(code, Place("file", line), "a", "b", "c", "d")
    heard = silencing.heard([finding], Files(tmp_path), {"RL202": "our registry keeps its tags"})
    assert heard.silenced == ((finding,) if silent else ())
    assert heard.findings == (() if silent else (finding,))


def test_the_specification_silences_a_code_everywhere(tmp_path: Path) -> None:
    (tmp_path / "Snakefile").write_text(
        'rule a:\n    output: "x"\n    container: "docker://b"\n    shell: "c"\n'
    )
    assert [one.code for one in checking.check(subject.find(tmp_path), None, None).findings] == ["RL201"]
    (tmp_path / "specs").mkdir()
    (tmp_path / "specs/x.yaml").write_text(
        "format: analysis-specification\nversion: 1\nidentity: {name: x, title: X, version: '1', "
        "authors: [{name: A}], licence: MIT}\nworkflow: {language: snakemake, file: Snakefile}\n"
        "interface: {results: {x: {title: X, type: file, file: x}}}\n"
        "visibility: {specification: public, products: public, results: public}\n"
        "check: {ignore: {RL201: a test needs no more}}\n"
    )
    found = checking.check(subject.find(tmp_path), None, None)
    assert found.findings == ()
    assert [one.code for one in found.silenced] == ["RL201"]


def test_findings_are_in_the_order_of_files_and_lines_each_once() -> None:
    late = Finding("RL101", Place("b", 2), "a", "b", "c", "d")
    early = Finding("RL201", Place("b", 1), "a", "b", "c", "d")
    other = Finding("RL201", Place("a"), "a", "b", "c", "d")
    assert ordered([late, early, late, other]) == (other, early, late)


def test_the_page_has_every_code_with_its_severity_and_meaning() -> None:
    page = (ROOT / "docs/check.md").read_text("utf-8")
    rows = re.findall(r"^\| (RL\d+) \| (\w+) \| (.*) \|$", page, re.MULTILINE)
    assert rows == [
        (code.name, code.severity.value, code.title + (" (REANA)" if code.only_for else ""))
        for code in CODES.values()
    ]


def test_what_is_not_there_is_wrong_usage(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nothing there"):
        subject.find(tmp_path / "nowhere")
    (tmp_path / "specs").mkdir()
    (tmp_path / "specs/workflow.yml").write_text("stages: []\n")
    with pytest.raises(InputError, match="isn't in the toplevel"):
        subject.find(tmp_path / "specs/workflow.yml", ROOT)
    with pytest.raises(InputError, match="isn't in the analysis"):
        subject.find(tmp_path, ROOT)


def test_what_is_called_reana_yaml_is_checked_as_one_whatever_is_in_it(tmp_path: Path) -> None:
    (tmp_path / "reana.yaml").write_text("workflow: yadage\nyadage_file: w.yml\n")
    found = checking.check(subject.find(tmp_path / "reana.yaml", None), None, None).findings
    assert {one.code for one in found} == {"RL405", "RL406"}


def test_a_snakefile_below_workflow_belongs_to_the_folder_above(tmp_path: Path) -> None:
    (tmp_path / "workflow").mkdir()
    (tmp_path / "workflow/Snakefile").write_text('rule a:\n    input: "b"\n    shell: "c"\n')
    (tmp_path / "b").touch()
    found = subject.find(tmp_path / "workflow/Snakefile")
    assert (found.root, found.snakefile) == (tmp_path, "workflow/Snakefile")
    assert checking.check(found, None, None).findings == ()
