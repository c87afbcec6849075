import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relance import results
from relance.errors import InputError
from relance.results import Bands, figures, html, reading
from relance.results.validation import judged
from relance.specification.model import (
    Audience,
    Case,
    Entry,
    Identity,
    Interface,
    Reference,
    ResultField,
    ResultType,
    Specification,
    Visibility,
)

BANDS = {"minus2sigma": 1.0, "minus1sigma": 1.5, "median": 2.0, "plus1sigma": 3.0, "plus2sigma": None}


def declared(**changed: Any) -> ResultField:
    fields: dict[str, Any] = {
        "title": "Limit",
        "type": ResultType.NUMBER,
        "file": "{output}/fit.json",
        "unit": "fb",
        "pointer": "/limits/0/observed",
    }
    return ResultField(**{**fields, **changed})


def specification(visibility: Visibility = Visibility.PUBLIC, /, **fields: ResultField) -> Specification:
    public = Visibility.PUBLIC
    return Specification(
        Identity("small", "Small", "1", (), "MIT"),
        Entry("snakemake", "Snakefile"),
        Interface(fields or {"limit": declared()}),
        Audience(public, public, visibility),
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "out" / "plots").mkdir(parents=True)
    content = {
        "limits": [{"observed": 2.5, "expected": BANDS}],
        "a/b": {"~": 7},
        "text": "2.5",
        "big": 10**400,
    }
    (tmp_path / "out" / "fit.json").write_text(json.dumps(content))
    (tmp_path / "out" / "plots" / "one.txt").write_text("one")
    return tmp_path


def read(folder: Path, *, output: object = "out", **fields: ResultField) -> results.Results:
    return results.read(specification(**fields), folder, {"output": output})


def test_a_number_is_read_with_its_unit_and_where_it_stands(folder: Path) -> None:
    limit = read(folder)["limit"]
    assert (limit.value, limit.unit, limit.file, limit.pointer) == (
        2.5,
        "fb",
        "out/fit.json",
        "/limits/0/observed",
    )
    assert (str(limit), float(limit)) == ("2.500 fb", 2.5)


def test_bands_are_read_and_shown_around_their_median(folder: Path) -> None:
    field = declared(type=ResultType.BANDS, pointer="/limits/0/expected")
    bands = read(folder, bands=field)["bands"]
    assert bands.value == Bands(1.0, 1.5, 2.0, 3.0, None)
    assert (str(bands), float(bands)) == ("2.000 +1.0 −0.50 fb", 2.0)


def test_files_and_folders_are_known_by_digest_and_size(folder: Path) -> None:
    one = declared(type=ResultType.FILE, pointer=None, unit=None)
    found = read(folder, one=one, many=replace(one, file="{output}/plots"))
    assert found["one"].value.size == (folder / "out" / "fit.json").stat().st_size
    assert (found["many"].value.path, found["many"].value.size) == ("out/plots", 3)
    with pytest.raises(InputError, match="expected a number"):
        float(found["one"])


def test_escapes_of_a_pointer_are_understood(folder: Path) -> None:
    assert read(folder, x=declared(pointer="/a~1b/~0"))["x"].value == 7.0


@pytest.mark.parametrize(
    ("field", "message"),
    [
        (
            declared(pointer="/limits/1/observed"),
            "out/fit.json#/limits/1/observed: found a list of 1, expected '1'",
        ),
        (declared(pointer="/limits/00/observed"), "found a list of 1, expected '00'"),
        (declared(pointer="/text"), "#/text: found '2.5', expected a number or null"),
        (declared(pointer="/big"), "expected a finite number"),
        (declared(pointer="/limits"), "found a list of 1, expected a number or null"),
        (declared(type=ResultType.BANDS), "found 2.5, expected a mapping with minus2sigma"),
        (declared(file="none.json"), "none.json: found no such file, expected a result"),
        (declared(file="{output}/plots"), "expected a JSON file"),
        (declared(file="{nothing}/fit.json"), "expected 'nothing' in the configuration"),
    ],
)
def test_what_is_wrong_is_told_with_file_and_pointer(folder: Path, field: ResultField, message: str) -> None:
    with pytest.raises(InputError) as raised:
        read(folder, limit=field)
    assert message in str(raised.value)


def test_all_that_is_wrong_is_told_at_once(folder: Path) -> None:
    with pytest.raises(InputError) as raised:
        read(folder, one=declared(pointer="/x"), two=declared(pointer="/y"))
    assert ("'x'" in str(raised.value), "'y'" in str(raised.value)) == (True, True)


@pytest.mark.parametrize("output", ["/etc", "../elsewhere", "out/../../x", None, True, ["out"]])
def test_a_configuration_cannot_lead_out_of_the_analysis(folder: Path, output: object) -> None:
    with pytest.raises(InputError):
        read(folder, output=output)


def test_a_link_that_leads_out_is_not_followed(folder: Path) -> None:
    analysis = folder / "analysis"
    analysis.mkdir()
    (analysis / "out").symlink_to(folder / "out")
    with pytest.raises(InputError, match="a link or device"):
        read(analysis)


@pytest.mark.parametrize("text", ["{", "[" * 100_000, "", '{"limits": [{"observed": NaN}]}'])
def test_a_file_that_is_no_json_is_refused(folder: Path, text: str) -> None:
    (folder / "out" / "fit.json").write_text(text)
    with pytest.raises(InputError, match=r"fit\.json"):
        read(folder)


def test_blinded_values_are_never_read(folder: Path) -> None:
    observed = declared(observed=True)
    expected = declared(type=ResultType.BANDS, pointer="/limits/0/expected")
    blinded = specification(Visibility.BLINDED, observed=observed, expected=expected)
    found = results.read(blinded, folder, {"output": "out"})
    assert (found["observed"].value, found["observed"].hidden) == (None, True)
    assert str(found["observed"]) == "hidden (blinded)"
    assert found["expected"].value is not None
    assert "2.5" not in repr(found["observed"])
    public = results.read(blinded, folder, {"output": "out"}, {Visibility.PUBLIC})
    assert public["expected"].hidden
    shown = results.read(blinded, folder, {"output": "out"}, set(Visibility))
    assert shown["observed"].value == 2.5


def test_a_value_that_was_not_found_is_none(folder: Path) -> None:
    field = declared(pointer="/limits/0/expected/plus2sigma")
    assert str(read(folder, limit=field)["limit"]) == "none"


def test_an_unknown_name_is_a_key_error_that_names_the_nearest(folder: Path) -> None:
    found = read(folder, observed_limit=declared())
    with pytest.raises(KeyError) as raised:
        found["limit"]
    assert "did you mean 'observed_limit'?" in str(raised.value)
    assert (found.get("limit"), "limit" in found, list(found)) == (None, False, ["observed_limit"])


def test_results_are_judged_by_the_references_of_a_case(folder: Path) -> None:
    found = read(
        folder, limit=declared(), bands=declared(type=ResultType.BANDS, pointer="/limits/0/expected")
    )
    case = Case(
        "known",
        {"limit": Reference(2.4, "why", relative=0.05), "bands": Reference(2.1, "why", absolute=0.05)},
    )
    assert [(one.name, one.found, one.agrees) for one in judged(found, case)] == [
        ("limit", 2.5, True),
        ("bands", 2.0, False),
    ]


def test_what_has_no_number_agrees_with_no_reference(folder: Path) -> None:
    nothing = declared(type=ResultType.NUMBER, pointer="/limits/0/expected/plus2sigma")
    hidden = declared(observed=True)
    found = results.read(
        specification(Visibility.BLINDED, nothing=nothing, hidden=hidden), folder, {"output": "out"}
    )
    case = Case("known", {name: Reference(2.5, "why", absolute=1e9) for name in ("nothing", "hidden")})
    assert [(one.name, one.found, one.agrees) for one in judged(found, case)] == [
        ("nothing", None, False),
        ("hidden", None, False),
    ]


@given(st.floats(allow_nan=False, allow_infinity=False), st.integers(1, 8))
def test_a_figure_reads_back_to_the_number_with_its_digits(number: float, digits: int) -> None:
    text = figures.figure(number, digits).replace("−", "-")
    assert float(text) == float(f"{number:.{digits}g}")


@given(st.text(), st.text())
def test_a_table_holds_no_html_of_its_content(one: str, other: str) -> None:
    shown = html.table((one,), [(other,)], one) + html.paragraph(other)
    bare = html.table(("",), [("",)], "x").replace("x", "") + html.paragraph("")
    assert shown.count("<") == bare.count("<") + (0 if one else -2)


def test_results_show_hostile_text_as_text(folder: Path) -> None:
    shown = read(folder, limit=declared(title="<script>alert(1)</script>"))._repr_html_()
    assert "<script>" not in shown
    assert "&lt;script&gt;" in shown


def test_a_placeholder_may_name_a_nested_key() -> None:
    assert reading.placed("{a.b}/x", {"a": {"b": "out"}}, "x") == "out/x"


@pytest.mark.parametrize("output", ["..", "../beside", "a/../../beside", "/elsewhere", "a\0"])
def test_a_placeholder_leads_nowhere_out_of_the_analysis(output: str) -> None:
    with pytest.raises(InputError, match="a path below the analysis's folder"):
        reading.placed("{output}/x", {"output": output}, "x")


def test_the_mark_that_snakemake_leaves_in_a_folder_is_no_part_of_a_result(tmp_path: Path) -> None:
    (tmp_path / "plots").mkdir()
    (tmp_path / "plots/a.png").write_bytes(b"a")
    before = reading.Folder(tmp_path).describe("plots")
    (tmp_path / "plots/.snakemake_timestamp").touch()
    assert reading.Folder(tmp_path).describe("plots") == before
    (tmp_path / "plots/a.png").write_bytes(b"b")
    assert reading.Folder(tmp_path).describe("plots") != before
