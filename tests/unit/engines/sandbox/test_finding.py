import os

import pytest

from relance.engines.sandbox import finding
from relance.errors import MissingPartError


def test_a_machine_without_any_sandbox_is_told_what_to_do() -> None:
    with pytest.raises(MissingPartError) as raised:
        finding.find(None, lambda _: None, {**os.environ, "PATH": "/nonexistent"})
    assert "podman" in raised.value.found
    assert "--trust" in raised.value.next_step
