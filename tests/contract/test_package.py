"""The package as it is installed, outside a checkout."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
BUILT_FROM = ("src", "specs", "pyproject.toml", "README.md", "LICENSE")


def test_an_installed_package_brings_its_schemas(tmp_path: Path) -> None:
    source, installed = tmp_path / "source", tmp_path / "installed"
    source.mkdir()
    for part in BUILT_FROM:
        copy = shutil.copytree if (ROOT / part).is_dir() else shutil.copy
        copy(ROOT / part, source / part)
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check", "--no-deps"]
    subprocess.run([*pip, "--wheel-dir", tmp_path, source], check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(installed)
    shutil.rmtree(source)
    code = "from relance import schema; print(schema.__file__, schema.bundled('images')['title'])"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=installed,  # first on the path, before the checkout
        check=True,
        capture_output=True,
        text=True,
    )
    file, _, title = done.stdout.strip().partition(" ")
    assert Path(file).is_relative_to(installed)
    assert title.startswith("Published container images")
