from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relance.drafting import comments


@pytest.mark.parametrize(
    ("line", "unit"),
    [
        ("mass: 2000  # GeV", "GeV"),
        ("mass: 2000.0 # GeV, of the resonance", "GeV"),
        ("mass: 2e3 # mass of the resonance [GeV]", "GeV"),
        ("mass: 2.5 # resonance (in TeV)", "TeV"),
        ("mass: 2.5 # of the resonance in TeV", "TeV"),
        ("luminosity: 139 # fb-1", "fb^-1"),
        ("luminosity: 139 # fb⁻¹", "fb^-1"),
        ("luminosity: 139 # [1/fb]", "fb^-1"),
        ("luminosity: 139 # fb^{-1}", "fb^-1"),
        ("distance: 3 # [cm]", "cm"),
        ("distance: 3 # cm", "cm"),
        ("# pT in GeV\ncut: 25", "GeV"),
        ("cut: 25 # [MeV]", "MeV"),
        ("# in TeV\ncut: 25 # [MeV]", "MeV"),
    ],
)
def test_a_unit_is_found_in_a_comment(tmp_path: Path, line: str, unit: str) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(f"signal:\n{''.join(f'  {part}{chr(10)}' for part in line.splitlines())}")
    assert [*comments.units_of(file).values()] == [unit]
    assert next(iter(comments.units_of(file))).startswith("signal.")


@pytest.mark.parametrize(
    "line",
    [
        "point: 77 # b tagging",  # no cross-section
        "toys: 10 # s of them",
        "mass: 2000#GeV",  # text
        'note: "1 # GeV"',
        "mass: 2000 # 1",
        "ranges: {low: 1, high: 2} # GeV",
        "low: 1 # above GeVs",
        "# GeV\nmass: 2000",
        "other: 1 # GeV\n\nmass: text",
        "mass: [2000] # GeV",
    ],
)
def test_what_may_be_something_else_is_no_unit(tmp_path: Path, line: str) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(f"{line}\n")
    assert set(comments.units_of(file)) <= {"other"}


@given(
    text=st.lists(st.sampled_from(["a", "b", ": ", "1", "# ", "[GeV]", "\n", " ", "{", "}", "\r", "\x85"]))
)
@settings(max_examples=60, deadline=None)
def test_no_text_upsets_the_search(tmp_path_factory: pytest.TempPathFactory, text: list[str]) -> None:
    file = tmp_path_factory.mktemp("configuration") / "config.yaml"
    file.write_bytes("".join(text).encode())
    assert set(comments.units_of(file).values()) <= {"GeV"}
