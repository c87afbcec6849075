import sys
from pathlib import Path

import pytest

from relance.engines.sandbox import programs
from relance.errors import MissingPartError


def test_a_program_is_shown_python_libraries_and_relance_and_no_home() -> None:
    shown = [mount.target for mount in programs.mounts(Path("/home/somebody"))]
    assert not any(mount.writable for mount in programs.mounts(Path("/home/somebody")))
    for needed in (sys.prefix, sys.base_prefix, "/usr", programs.__file__):
        assert any(Path(needed).is_relative_to(path) for path in shown), needed
    for secret in ("/", "/etc", "/etc/shadow", "/root/.ssh", "/home", "/run", "/var/run", str(Path.cwd())):
        assert not any(Path(secret).is_relative_to(path) for path in shown), secret


def test_a_python_that_lies_above_the_home_folder_is_refused() -> None:
    with pytest.raises(MissingPartError) as raised:
        programs.mounts(Path(sys.prefix) / "home")
    assert "--trust" in raised.value.next_step
