"""Small capsules for tests of every part: written into a layout, with images that really run if asked.

layout = Layout(tmp_path / "content")
capsule = small(layout)                                  # the words of it, its blobs in the layout
descriptor = writing.write(layout, capsule, name="counting")
capsule = small(layout, image=shell_image(layout, tmp_path))   # jobs that Apptainer, Podman, Docker can run
"""

import contextlib
import io
import re
import shutil
import subprocess
import tarfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from relance import digest
from relance.capsule import documents, images, oci
from relance.capsule.model import (
    Capsule,
    CapsuleFile,
    CapsuleImage,
    CapsuleJob,
    CapsuleLink,
    Role,
)
from relance.errors import InputError
from relance.model import UNKNOWN, CodeRecord, ImageRecord, JobRecord, JobTimes, RunFacts
from relance.specification import reading
from relance.store import content, squashfs
from relance.store.descriptors import INDEX_TYPE, MANIFEST_TYPE, Descriptor
from relance.store.layout import Layout
from relance.store.normalise import Image, Settings, assemble
from relance.store.squashfs import RuntimeImage

Change = Callable[[dict[str, Any]], dict[str, Any]]

SPECIFICATION = b"""\
format: analysis-specification
version: 1
identity:
  name: counting
  title: Count events above a threshold
  version: "1.0"
  authors: [{name: A. Physicist}]
  licence: MIT
workflow: {language: snakemake, file: Snakefile, configuration: config.yaml}
interface:
  inputs:
    signal:
      title: Signal events
      forms: [{level: hepmc, formats: [hepmc3], key: signal.file}]
  parameters:
    threshold: {title: Least energy, type: number, unit: GeV, minimum: 0, maximum: 7 TeV, key: threshold}
  results:
    total: {title: Events above it, type: number, unit: "1", file: results/total.json, pointer: /total}
visibility: {specification: public, products: public, results: public}
"""

SOURCES: Mapping[str, bytes] = {
    "Snakefile": b"rule all:\n    input: 'results/total.json'\n",
    "config.yaml": b"threshold: 100.0\n",
    "scripts/count.sh": b'#!/bin/bash\ngrep -c . < "$1"\n',
}
INPUTS: Mapping[str, bytes] = {"data/a.txt": b"e\ne\n", "data/b.txt": b"m\nm\nm\n"}
PRODUCTS: Mapping[str, bytes] = {
    "results/a.count": b"2\n",
    "results/b.count": b"3\n",
    "results/total.json": b'{"total": 5}\n',
}
LOGS: Mapping[str, bytes] = {"logs/sum.log": b"2 samples\n"}

PROGRAMS = (
    "bash",
    "cat",
    "cp",
    "cut",
    "env",
    "grep",
    "id",
    "ls",
    "mkdir",
    "rm",
    "seq",
    "sleep",
    "sort",
    "tr",
)
NOWHERE = "docker://registry.example/counting:1.0"


def kept(
    layout: Layout, path: str, data: bytes, role: Role = Role.SOURCE, *, executable: bool = False
) -> CapsuleFile:
    """Put a file's content into the layout and return the file."""
    stored = content.put_bytes(layout, data)
    return CapsuleFile(path, role, stored.digest, stored.size, stored, executable)


def job(rule: str, command: str | None, inputs: tuple[str, ...], outputs: tuple[str, ...]) -> JobRecord:
    """Return the record of a job that went well, in no image."""
    return JobRecord(
        rule=rule,
        wildcards={},
        status="ok",
        exit=0,
        attempts=1,
        command=command,
        parameters=(),
        code=CodeRecord("shell" if command is not None else "script"),
        image=None,
        inputs=inputs,
        outputs=outputs,
        logs=(),
        temporary=(),
        protected=(),
        directories=(),
        threads=1,
    )


def captured(record: JobRecord, needs: tuple[int, ...] = ()) -> CapsuleJob:
    """Return a job as a capsule holds it."""
    return CapsuleJob(record, JobTimes(1_700_000_000.5, 1_700_000_002.0, 1 << 20), needs)


def facts() -> RunFacts:
    """Return what a run of the small analysis was."""
    return RunFacts(
        made="during the run",
        graph=True,
        status="ok",
        relance="0.1.0",
        snakemake="9.27.1",
        command=("--cores", "2"),
        snakefile=UNKNOWN,
        included=(),
        configuration_files=UNKNOWN,
        configuration={"threshold": 100.0},
        configuration_digest=digest.of_json({"threshold": 100.0}),
        platform="Linux 6.1 x86_64",
        processor="a processor",
        libc="glibc 2.36",
        runtime="apptainer",
        runtime_version="1.4.0",
        targets=("results/total.json",),
    )


def jobs(image: ImageRecord | None) -> tuple[CapsuleJob, ...]:
    """Return the small analysis's three jobs: two counts, and their sum."""
    count = [
        replace(
            job("count", f"bash scripts/count.sh {sample} > {result}", (sample,), (result,)),
            wildcards={"sample": name},
            image=image,
        )
        for name, sample, result in (
            ("a", "data/a.txt", "results/a.count"),
            ("b", "data/b.txt", "results/b.count"),
        )
    ]
    total = replace(
        job(
            "sum",
            "a=$(cat results/a.count); b=$(cat results/b.count); echo '2 samples' > logs/sum.log\n"
            'echo "{\\"total\\": $((a + b))}" > results/total.json',
            ("results/a.count", "results/b.count"),
            ("results/total.json",),
        ),
        image=image,
        logs=("logs/sum.log",),
    )
    return (captured(count[0]), captured(count[1]), captured(total, (0, 1)))


def small(layout: Layout, *, image: CapsuleImage | None = None) -> Capsule:
    """Return the capsule of a small analysis; its files are in the layout, and so must its image be."""
    record = None
    if image is not None:
        record = ImageRecord(image.written[0], image.manifest, image.config, UNKNOWN, "run")
    files = [
        *(kept(layout, path, data, executable=path.endswith(".sh")) for path, data in SOURCES.items()),
        *(kept(layout, path, data, Role.INPUT) for path, data in INPUTS.items()),
        *(kept(layout, path, data, Role.PRODUCT) for path, data in PRODUCTS.items()),
        *(kept(layout, path, data, Role.LOG) for path, data in LOGS.items()),
    ]
    return Capsule(
        specification=reading.parse(SPECIFICATION, Path("specification.yaml")),
        specification_text=SPECIFICATION,
        run=facts(),
        started=1_700_000_000.0,
        ended=1_700_000_010.25,
        files=tuple(sorted(files, key=lambda file: file.path)),
        links=(CapsuleLink("scripts/tally.sh", "count.sh"),),
        folders=("scratch",),
        trees={},
        jobs=jobs(record),
        images=() if image is None else (image,),
    )


def reference(layout: Layout, image: Image, written: str = NOWHERE) -> CapsuleImage:
    """Return an image of the layout as a capsule names it."""
    return CapsuleImage(
        (written,),
        image.config.digest,
        image.manifest.digest,
        layout.path(image.manifest.digest).stat().st_size,
    )


def forged(layout: Layout, capsule: Capsule, change: Change = lambda index: index) -> Descriptor:
    """Write a capsule as `writing.write` does, but with nothing checked; `change` has its way with the index.

    The images are taken from the layout if they are there.
    """
    written = documents.write(capsule)
    texts = (written.jobs, written.files, capsule.specification_text, b"#!/bin/sh\n")
    layers = {
        title: layout.add(text, oci.LAYERS[title]) for title, text in zip(oci.LAYERS, texts, strict=True)
    }
    manifests = [oci.description(layout.add(written.capsule, oci.DOCUMENT_TYPE), layers)]
    sizes = {part.digest: part.size for file in capsule.files if file.stored for part in file.stored.blobs}
    manifests += oci.contents(sizes)
    layout.add(oci.EMPTY, oci.EMPTY_TYPE)
    parts = []
    for manifest in manifests:
        layout.add_json(manifest, MANIFEST_TYPE)
        parts.append(oci.described_as(manifest["artifactType"], manifest))
    with contextlib.suppress(InputError):
        parts += [image.manifest for image in images.held(layout, capsule).values()]
    index = layout.add_json(change(oci.index(documents.analysis(capsule), parts)), INDEX_TYPE)
    return replace(index, artifact_type=oci.CAPSULE_TYPE)


def toy_image(layout: Layout, text: bytes = b"a file", written: str = NOWHERE) -> CapsuleImage:
    """Return an image of one file, which nothing can run, kept in the layout."""
    return reference(layout, _assembled(layout, {"etc/toy": text}), written)


def shell_image(layout: Layout, scratch: Path, written: str = NOWHERE) -> CapsuleImage:
    """Return an image with this machine's bash and a few programs, kept in the layout."""
    root = scratch / "root"
    if not root.exists():
        _fill(root)
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        tar.add(root, ".", filter=_owned_by_root)
    stream.seek(0)
    settings = Settings({"PATH": "/usr/bin:/bin", "GREETING": "bon jour"}, ("bash",))
    return reference(layout, assemble(layout, None, stream, settings, architecture="amd64"), written)


def runtime_image(layout: Layout, image: CapsuleImage, folder: Path) -> RuntimeImage:
    """Make the squashfs file of an image that the layout keeps."""
    described = Descriptor(MANIFEST_TYPE, image.manifest, image.manifest_size)
    return squashfs.build(layout, Image.read(layout, described), folder)


def _assembled(layout: Layout, files: Mapping[str, bytes]) -> Image:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        for path, data in files.items():
            info = tarfile.TarInfo(path)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    stream.seek(0)
    return assemble(layout, None, stream, Settings({"A": "1"}), architecture="amd64")


def _fill(root: Path) -> None:
    """Make the smallest root that jobs can run in."""
    for name in ("usr/bin", "tmp", "proc", "sys", "dev", "etc", "home", "run"):
        (root / name).mkdir(parents=True)
    (root / "tmp").chmod(0o1777)
    (root / "bin").symlink_to("usr/bin")
    (root / "usr/bin/sh").symlink_to("bash")
    for name in PROGRAMS:
        program = shutil.which(name)
        assert program is not None, name
        shutil.copy(program, root / "usr/bin" / name)
        needed = subprocess.run(["ldd", program], check=True, capture_output=True, text=True).stdout
        for library in re.findall(r"/\S+", needed):
            copy = root / library.removeprefix("/")
            if not library.endswith(":") and not copy.exists():
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(library, copy)


def _owned_by_root(info: tarfile.TarInfo) -> tarfile.TarInfo:
    info.uid = info.gid = 0
    info.uname = info.gname = ""
    return info
