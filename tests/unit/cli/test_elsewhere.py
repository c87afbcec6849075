"""Options of a rerun on other machines, given where it takes place here."""

from pathlib import Path

import pytest

from relance.cli import run_command_line


@pytest.mark.parametrize("option", ["--image-registry=registry.example.org/group", "--skip-images"])
def test_an_option_that_means_nothing_without_on_is_refused(
    option: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("RELANCE_STORE", str(tmp_path))
    command = ["verify", "dilepton", "--rerun", option]
    assert run_command_line(command) == 2
    said = capsys.readouterr().err
    assert f"{option.partition('=')[0]}: found none, expected --on with it; add '--on reana'" in said
    assert run_command_line([*command, "--on=reana"]) == 2, "there is no such capsule"
    assert "expected --on" not in capsys.readouterr().err
