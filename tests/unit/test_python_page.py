"""The page on Python names what there is."""

import re
from pathlib import Path

import pytest

from relance import api
from relance.recast.model import Recast
from relance.results import Result
from relance.specification import reading

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "python.md").read_text("utf-8")
RECAST = {"results", "captured", "jobs", "folder", "plots"}


def mentioned(variable: str) -> set[str]:
    return set(re.findall(rf"\b{variable}\.(\w+)", PAGE))


def test_every_name_on_the_page_exists() -> None:
    assert mentioned("capsule") >= {"recast", "plan", "verify", "checkout", "diff", "results", "parameters"}
    assert [name for name in mentioned("capsule") if not hasattr(api.Capsule, name)] == []
    assert set(Recast.__dataclass_fields__) >= RECAST | mentioned("run")
    assert set(Result.__dataclass_fields__) >= mentioned("limit") | {"value", "unit", "title", "hidden"}


def test_the_analysis_of_the_examples_has_what_they_ask_for() -> None:
    interface = reading.load(ROOT / "specs" / "dilepton.yaml").interface
    texts = (PAGE, (ROOT / "README.md").read_text("utf-8"), api.__doc__ or "")
    asked = [set(re.findall(r'results\["(\w+)"\]', text)) - {"observed"} for text in texts]
    assert asked == [{"limit"}] * 3  # the page asks for 'observed' to show that there is none
    assert "limit" in interface.results
    assert "observed" not in interface.results
    assert set(re.findall(r'parameters\["([\w.]+)"\]', PAGE)) <= set(interface.parameters)


@pytest.mark.parametrize("block", re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL))
def test_the_examples_are_python(block: str) -> None:
    if ">>>" not in block:
        compile(block, "python.md", "exec")
