"""Images of what is submitted, in a real registry: there, missing, or another under the same name."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests import capsules

from relance.capsule import writing
from relance.capsule.model import CapsuleImage
from relance.model import UNKNOWN, ImageRecord
from relance.store.descriptors import MANIFEST_TYPE, Descriptor
from relance.store.layout import Layout
from relance.store.registry import pulling, pushing
from relance.store.registry.reference import Reference
from relance.store.registry.session import Access, Session
from relance.store.store import Store

from ..registry_server import running
from .conftest import Said
from .server import Standin

ACCESS = Access(pause=lambda _: None)
REANA_YAML = b"""\
inputs:
  files: [Snakefile, config.yaml]
  directories: [scripts, data]
workflow: {type: snakemake, file: Snakefile}
outputs: {files: [results/total.json]}
"""
RULE = """
rule {name}:
    input: {inputs}
    output: "results/{name}.txt"
    container: "{image}"
    shell: "mkdir -p results; cat {{input}} > {{output}}"
"""


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running(tmp_path_factory.mktemp("registry")) as found:
        yield found


def described(image: CapsuleImage) -> Descriptor:
    return Descriptor(MANIFEST_TYPE, image.manifest, image.manifest_size)


def has(reference: str) -> bool:
    found = Reference.parse(reference)
    with Session(found, ACCESS) as session:
        return pulling.resolve(session, found)[0].digest == found.digest


@pytest.fixture
def images(host: str, tmp_path: Path) -> dict[str, CapsuleImage]:
    """Three images that a capsule holds; the registry has the first, and another in place of the third."""
    layout = Store(tmp_path / "store").layout
    made = {
        name: capsules.toy_image(layout, name.encode(), f"docker://{host}/group/{name}:1")
        for name in ("there", "missing", "other")
    }
    for name, image in (("there", made["there"]), ("other", made["there"])):
        where = Reference.parse(f"{host}/group/{name}:1")
        pushing.push(layout, described(image), where, ACCESS)
    return made


def capsule(layout: Layout, images: dict[str, CapsuleImage], snakefile: str) -> None:
    small = capsules.small(layout, image=images["there"])
    records = [
        ImageRecord(one.written[0], one.manifest, one.config, UNKNOWN, "run") for one in images.values()
    ]
    jobs = tuple(
        replace(job, record=replace(job.record, rule=name, image=image))
        for job, name, image in zip(small.jobs, images, records, strict=True)
    )
    own = [
        capsules.kept(layout, "reana.yaml", REANA_YAML),
        capsules.kept(layout, "Snakefile", snakefile.encode()),
    ]
    files = [*(file for file in small.files if file.path != "Snakefile"), *own]
    whole = replace(
        small,
        files=tuple(sorted(files, key=lambda file: file.path)),
        jobs=jobs,
        images=tuple(sorted(images.values(), key=lambda image: image.config)),
    )
    writing.write(layout, whole, name="counting")


def snakefile(images: dict[str, CapsuleImage]) -> str:
    rules = [
        RULE.format(name=name, image=image.written[0], inputs='"data/a.txt"')
        for name, image in images.items()
    ]
    listed = ", ".join(f'"results/{name}.txt"' for name in images)
    last = 'rule all:\n    default_target: True\n    input: {}\n    output: "results/total.json"\n'
    image = images["there"].written[0]
    return (
        "".join(rules)
        + last.format(listed)
        + f'    container: "{image}"\n    shell: "cat {{input}} > {{output}}"\n'
    )


def test_images_that_are_missing_or_others_are_pushed_and_named_anew(
    host: str,
    images: dict[str, CapsuleImage],
    newest: Standin,
    say: Callable[..., Said],
    tmp_path: Path,
) -> None:
    layout = Store(tmp_path / "store").layout
    capsule(layout, images, snakefile(images))
    refused = say("submit", "counting")
    assert refused.code == 2
    assert f"image 'docker://{host}/group/missing:1' of 'missing'" in refused.err
    assert f"image 'docker://{host}/group/other:1' of 'other'" in refused.err
    assert "--image-registry" in refused.err
    assert newest.asked == []

    new = {name: f"docker://{host}/reana/{name}@{images[name].manifest}" for name in ("missing", "other")}
    registry = f"--image-registry={host}/reana"
    plan = say("submit", "counting", registry, "--dry-run", "--json").json
    assert {written: one["reference"] for written, one in plan["pushed"].items()} == {
        f"docker://{host}/group/{name}:1": reference for name, reference in new.items()
    }
    assert plan["images"][f"docker://{host}/group/there:1"] == images["there"].manifest
    assert f'+    container: "{new["missing"]}"' in plan["difference"]
    assert newest.asked == []

    done = say("submit", "counting", registry, "--wait", "--interval=0.2", "--fetch=got", "--json")
    assert done.code == 0, done.err
    assert f'-    container: "docker://{host}/group/other:1"' in done.err
    assert all(has(reference) for reference in new.values())
    ran = (newest.only().workspace / "Snakefile").read_text()
    assert all(reference in ran for reference in new.values())
    assert f'"docker://{host}/group/there:1"' in ran
    assert "/group/missing:1" not in ran
    again = say("submit", "counting", registry, "--again", "--json")
    assert again.code == 0, again.err


def test_a_reference_that_the_workflow_puts_together_is_refused_by_name(
    host: str, images: dict[str, CapsuleImage], newest: Standin, say: Callable[..., Said], tmp_path: Path
) -> None:
    layout = Store(tmp_path / "store").layout
    text = snakefile(images).replace(
        f'"docker://{host}/group/missing:1"', f'"docker://{host}/group/" "missing:1"'
    )
    capsule(layout, images, text)
    done = say("submit", "counting", f"--image-registry={host}/reana", "--dry-run")
    assert done.code == 2
    assert f"image 'docker://{host}/group/missing:1' can't be replaced" in done.err
    assert newest.asked == []


def test_of_a_folder_what_the_store_has_by_the_digest_is_pushed(
    host: str, newest: Standin, say: Callable[..., Said], remote: Path, tmp_path: Path
) -> None:
    layout = Store(tmp_path / "store").layout
    image = capsules.toy_image(layout, b"mine", "docker://unused")
    pinned = f"docker://{host}/gone/bash@{image.manifest}"
    for path in (remote / "Snakefile", remote / "rules/count.smk"):
        path.write_text(path.read_text().replace("docker://bash:5", pinned))
    done = say("submit", "remote", f"--image-registry={host}/reana", "--dry-run", "--json")
    assert done.code == 0, done.err
    becomes = f"docker://{host}/reana/bash@{image.manifest}"
    assert done.json["pushed"][pinned]["reference"] == becomes
    assert done.json["difference"].count(becomes) == 2
    assert pinned in (remote / "Snakefile").read_text(), "what lies here stays as it is"
