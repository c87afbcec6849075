import json
import shlex
from pathlib import Path

import pytest

from relance.engines import snakemake
from relance.engines.snakemake import RunFolder
from relance.errors import InputError
from relance.model import RunRequest, RuntimeKind


@pytest.fixture
def analysis(tmp_path: Path) -> Path:
    folder = tmp_path / "my analysis"
    folder.mkdir()
    (folder / "Snakefile").touch()
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    return RunFolder(tmp_path)


def test_a_folder_without_a_snakefile_is_no_analysis(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is no analysis: found none, expected a Snakefile in it"):
        snakemake.snakefile(tmp_path)
    (tmp_path / "recast.yml").touch()
    with pytest.raises(InputError, match=r"relance convert recast\.yml DIR"):
        snakemake.snakefile(tmp_path)


def test_the_usual_places_of_a_snakefile_are_looked_at(tmp_path: Path) -> None:
    (tmp_path / "workflow").mkdir()
    (tmp_path / "workflow" / "Snakefile").touch()
    assert snakemake.snakefile(tmp_path) == tmp_path / "workflow" / "Snakefile"


def test_settings_come_after_the_configuration_and_keep_their_types(
    analysis: Path, folder: RunFolder
) -> None:
    request = RunRequest(analysis, configuration=Path("/c/tiny.yaml"), settings={"signal": {"mass": 2500}})
    snakemake.write_settings(request, folder)
    line = snakemake.command(request, RuntimeKind.PLAIN, folder)
    at = line.index("--configfile")
    assert line[at + 1 : at + 3] == ["/c/tiny.yaml", str(folder.settings)]
    assert json.loads(folder.settings.read_text()) == {"signal": {"mass": 2500}}


def test_without_settings_no_file_is_written(analysis: Path, folder: RunFolder) -> None:
    request = RunRequest(analysis)
    snakemake.write_settings(request, folder)
    assert not folder.settings.exists()
    assert "--configfile" not in snakemake.command(request, RuntimeKind.PLAIN, folder)


def test_what_the_user_passes_on_comes_last(analysis: Path, folder: RunFolder) -> None:
    request = RunRequest(analysis, arguments=("--forcerun", "fit"), dry_run=True, keep_going=True, cores=3)
    line = snakemake.command(request, RuntimeKind.PODMAN, folder)
    assert line[-4:] == ["--dry-run", "--keep-going", "--forcerun", "fit"]
    assert line[line.index("--cores") + 1] == "3"


def test_apptainer_mounts_the_analysis_and_nothing_else_of_the_machine(
    analysis: Path, folder: RunFolder
) -> None:
    options = shlex.split(snakemake.apptainer_arguments(analysis, folder))
    assert "--containall" in options
    assert options[options.index("--network") + 1] == "none"
    binds = [options[at + 1] for at, option in enumerate(options) if option == "--bind"]
    assert binds == [str(analysis), f"{folder.scratch / 'tmp'}:/tmp"]
    assert "OMP_NUM_THREADS=1" in options


def test_stand_ins_and_apptainer_never_share_pulled_images(analysis: Path, folder: RunFolder) -> None:
    prefixes = set()
    for kind in RuntimeKind:
        line = snakemake.command(RunRequest(analysis), kind, folder)
        prefixes.add(line[line.index("--apptainer-prefix") + 1] if "--apptainer-prefix" in line else None)
    assert len(prefixes) == len(RuntimeKind)


@pytest.mark.parametrize("kind", list(RuntimeKind))
def test_what_would_leak_into_apptainer_is_left_out(kind: RuntimeKind, folder: RunFolder) -> None:
    outer = {
        "PATH": "/bin",
        "APPTAINERENV_X": "1",
        "SINGULARITY_BIND": "/",
        "APPTAINER_CACHEDIR": "/c",
        "A": "b",
    }
    inner = snakemake.environment(outer, kind, folder)
    assert inner == {
        "PATH": f"{folder.programs}:/bin",
        "APPTAINER_CACHEDIR": "/c",
        "A": "b",
        "RELANCE_RUNTIME": kind.value,
    }
