from pathlib import Path

import pytest

from relance.engines import environments
from relance.errors import MissingPartError


def write(analysis: Path, text: str) -> environments.Environment:
    (analysis / "envs").mkdir(exist_ok=True)
    (analysis / "envs" / "fit.txt").write_text(text)
    (environment,) = environments.of_analysis(analysis, analysis / ".envs")
    return environment


def test_an_environment_is_another_when_its_packages_change(tmp_path: Path) -> None:
    first, second, third = (write(tmp_path, text) for text in ("a==1\n", "a==2\n", "a==1\n"))
    assert first.folder != second.folder
    assert first == third
    assert first.name == "fit"
    assert not first.made


def test_a_package_without_a_hash_is_refused_and_nothing_half_made_stays(tmp_path: Path) -> None:
    environment = write(tmp_path, "a-package-of-no-known-version\n")
    told: list[str] = []
    with pytest.raises(MissingPartError, match="the environment 'fit' can't be made: found ERROR"):
        environments.make(environment, told.append)
    assert not environment.folder.exists()
    assert len(told) == 1


def test_a_python_that_cannot_make_environments_is_told(tmp_path: Path) -> None:
    with pytest.raises(MissingPartError, match="can't be made"):
        environments.make(write(tmp_path, ""), lambda _text: None, python="/bin/false")


@pytest.mark.parametrize("writable", [True, False])
def test_environments_go_to_the_cache_where_the_analysis_is_read_only(writable: bool) -> None:
    root = environments.root_for(Path("/analysis"), Path("/cache"), lambda _path, _mode: writable)
    assert root == Path("/analysis/.envs" if writable else "/cache/relance/.envs")
