"""The committed locks in envs/ and requirements/: complete, in agreement, and of no machine."""

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
LOCKS = sorted([*(ROOT / "envs").glob("*.txt"), *(ROOT / "requirements").glob("*.txt")])
IMAGES = sorted((ROOT / "envs").glob("*.in"))


def pins(text: str) -> dict[str, set[str]]:
    """Map each requirement to its hashes."""
    found = {}
    for line in text.replace("\\\n", " ").splitlines():
        if line.strip() and not line.startswith("#"):
            requirement, *hashes = line.split("--hash=")
            found[requirement.strip()] = {item.strip() for item in hashes}
    return found


def versions(path: Path) -> dict[str, str]:
    return dict(re.split("==|;", pin)[:2] for pin in pins(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: path.stem)
def test_every_package_of_a_lock_has_an_exact_version_and_hashes(path):
    found = pins(path.read_text(encoding="utf-8"))
    assert found
    for requirement, hashes in found.items():
        assert re.fullmatch(r"[a-z0-9._\[\]-]+==[^\s;=]+( *;.*)?", requirement)
        assert hashes
        assert all(re.fullmatch("sha256:[0-9a-f]{64}", item) for item in hashes)


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: path.stem)
def test_a_lock_names_no_index_no_file_and_no_folder(path):
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"://|--(?:index|extra-index|find-links|trusted)|^/|@ ", text, re.MULTILINE)


@pytest.mark.parametrize("source", IMAGES, ids=lambda path: path.stem)
def test_the_conda_environment_has_the_same_pins_and_hashes_as_the_lock(source):
    locked = pins(source.with_suffix(".txt").read_text(encoding="utf-8"))
    environment = yaml.safe_load(source.with_suffix(".yaml").read_text(encoding="utf-8"))
    python, pip, section = environment["dependencies"]
    assert (python, pip) == ("python=3.11", "pip")
    assert pins("\n".join(section["pip"])) == locked


@pytest.mark.parametrize("source", IMAGES, ids=lambda path: path.stem)
def test_a_lock_holds_what_its_source_asks_for(source):
    lines = source.read_text(encoding="utf-8").splitlines()
    wanted = {line.partition("=")[0].strip() for line in lines if line.strip() and not line.startswith("#")}
    assert wanted <= set(versions(source.with_suffix(".txt")))


@pytest.mark.parametrize("source", IMAGES, ids=lambda path: path.stem)
def test_tests_run_the_versions_that_images_hold(source):
    development = versions(ROOT / "requirements" / "dev.txt")
    image = versions(source.with_suffix(".txt"))
    assert {name: development.get(name) for name in image} == image
