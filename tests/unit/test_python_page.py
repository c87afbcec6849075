"""The page on Python names what there is."""

import re
from pathlib import Path

import pytest

from relance import api
from relance.recast.model import Recast
from relance.results import Result

PAGE = (Path(__file__).parents[2] / "docs" / "python.md").read_text("utf-8")
RECAST = {"results", "captured", "jobs", "folder", "plots"}


def mentioned(variable: str) -> set[str]:
    return set(re.findall(rf"\b{variable}\.(\w+)", PAGE))


def test_every_name_on_the_page_exists() -> None:
    assert mentioned("capsule") >= {"recast", "plan", "verify", "checkout", "diff", "results", "parameters"}
    assert [name for name in mentioned("capsule") if not hasattr(api.Capsule, name)] == []
    assert set(Recast.__dataclass_fields__) >= RECAST | mentioned("run")
    assert set(Result.__dataclass_fields__) >= mentioned("limit") | {"value", "unit", "title", "hidden"}


@pytest.mark.parametrize("block", re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL))
def test_the_examples_are_python(block: str) -> None:
    if ">>>" not in block:
        compile(block, "python.md", "exec")
