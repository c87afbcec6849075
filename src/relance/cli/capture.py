"""`relance capture`: an analysis and its last run become a capsule."""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path

import click

from relance.capsule import results
from relance.capsule.model import CapsuleImage, Parent
from relance.capture import capturing, images, truth
from relance.capture.capturing import Captured, Effects, Plan, Request
from relance.capture.images import Imported
from relance.cli import places, record, signals
from relance.cli.progress import counting
from relance.errors import ExitCode, InputError
from relance.recast import record as recast
from relance.recording import files
from relance.specification import reading
from relance.store.store import Store

_SIZES = {"": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}


class _Size(click.ParamType[int]):
    name = "SIZE"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        text = str(value).strip()
        number = text.rstrip("kMGTB").strip()
        unit = text[len(number) :].strip()
        try:
            return int(float(number) * _SIZES[unit])
        except (ValueError, KeyError, OverflowError):
            self.fail(f"{text!r}: expected a size such as 500MB or 2GB", param, ctx)


@click.command()
@click.argument("analysis", metavar="[DIR]", default=".", type=click.Path(file_okay=False, path_type=Path))
@click.option("-o", "--output", metavar="NAME|FILE.tar", help="What to call it in the store, or a file to "
              "write it to as well; the specification's name and version if left out.")  # fmt: skip
@click.option("--spec", "specification", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path),
              help="The specification; the only one in DIR/specs if left out.")  # fmt: skip
@click.option("--run", "run_id", metavar="ID", help="A run as 'relance runs' names it; the last if left out.")
@click.option("--inside-up-to", type=_Size(), default=capturing.INSIDE_UP_TO, show_default="1 GiB",
              help="Largest input that is kept inside and not by reference.")  # fmt: skip
@places.MAPPING
@places.STORE
@click.option("-n", "--dry-run", is_flag=True, help="Say what would be captured; write nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON on standard output.")
@click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors.")
def capture(  # noqa: PLR0917 - click passes each by name
    analysis: Path,
    output: str | None,
    specification: Path | None,
    run_id: str | None,
    inside_up_to: int,
    mapping_file: Path | None,
    chosen_store: Path | None,
    dry_run: bool,
    as_json: bool,
    quiet: bool,
) -> ExitCode:
    """Capture the last run of the analysis in DIR (default: here): a capsule that runs again anywhere.

    Specification, workflow, programs, configuration, images, inputs, results and what the specification says
    to keep go into the store, each thing once by its digest. Nothing runs. Capturing the same run again gives
    the same capsule.

    \b
    relance run && relance capture              as NAME:VERSION of the specification
    relance capture -o mine.tar                 as one file, too
    """
    analysis = analysis.resolve()
    tar = Path(output) if output and output.endswith(".tar") else None
    request = Request(
        analysis=analysis,
        record=_run(analysis, run_id) if run_id else record.last(analysis, quiet=quiet),
        specification=(specification or _only_specification(analysis)).resolve(),
        name=None if tar else output,
        inside_up_to=inside_up_to,
        parent=recast.parent_of(analysis),
    )
    if dry_run:
        _tell_plan(capturing.plan(request), as_json=as_json)
        return ExitCode.OK
    store = Store(places.store(os.environ, chosen_store))
    inherited = _images_of(store, request.parent)
    with signals.raising(), counting("capturing", quiet=quiet) as progress:

        def bring(written: str) -> Imported:
            from relance.cli import entering  # takes long to load, and images are mostly there

            runtime = str(files.read(request.record)["run"]["runtime"])
            of_parent = images.of_parent(store.layout, inherited, written)
            return of_parent or entering.bring(store, written, analysis, runtime, mapping_file)

        effects = Effects(
            bring=bring,
            cache=analysis / ".snakemake" / "relance" / "digests.json",
            progress=progress,
        )
        captured = capturing.capture(store, request, effects)
    if tar:
        from relance.capsule import archive

        with signals.raising():
            archive.export_tar(store.layout, captured.descriptor, tar)
    if as_json:
        click.echo(json.dumps(_as_json(captured), indent=2))
    elif not quiet:
        _tell(captured, tar)
        _tell_undecided(request.specification)
    return ExitCode.OK


def _tell_undecided(specification: Path) -> None:
    from relance.drafting import draft

    left = draft.decisions(specification.read_text(encoding="utf-8"))
    if left:
        click.echo(
            f"{specification.name} has {len(left)} places left to decide, the first on line {left[0][0]}: "
            f"{left[0][1]}; answer them and capture again",
            err=True,
        )


def _run(analysis: Path, name: str) -> Path:
    known = [run for run in files.runs(analysis) if run.record]
    for run in known:
        if run.name == name:
            return run.folder / files.NAME
    raise InputError(
        f"no recorded run {name!r} in {analysis}",
        expected=", ".join(run.name for run in known) or "a run that has a record",
        found="none",
        next_step="see 'relance runs'",
    )


def _only_specification(analysis: Path) -> Path:
    found = [path for path in sorted((analysis / "specs").glob("*.yaml")) if reading.is_specification(path)]
    if len(found) == 1:
        return found[0]
    raise InputError(
        f"the specification of {analysis}",
        expected="one in its folder 'specs'",
        found=", ".join(path.name for path in found) or "none",
        next_step="name one with --spec FILE" if found else f"draft it: relance init {analysis}",
    )


def _images_of(store: Store, parent: Parent | None) -> tuple[CapsuleImage, ...]:
    """Return the images of the capsule that a recast ran, if the store has it still."""
    if parent is None:
        return ()
    from relance.capsule import reading as reading_capsules

    for known in reading_capsules.names(store.layout).values():
        if known.digest == parent.digest:
            return reading_capsules.read(store.layout, known).images
    return ()


def _tell_plan(plan: Plan, *, as_json: bool) -> None:
    rows = [
        (file.role.value, "inside" if file.kept else "reference" if file.external else "digest", file.path)
        for file in plan.candidates
    ]
    if as_json:
        listed = [{"role": role, "kept": kept, "path": path} for role, kept, path in rows]
        click.echo(json.dumps({"files": listed, "jobs": len(plan.record.jobs)}, indent=2))
        return
    for role, kept, path in rows:
        click.echo(f"{role:<8} {kept:<10} {path}")
    click.echo(
        f"{len(plan.record.jobs)} jobs, {len(rows)} files; "
        f"inside {len(plan.kept())}: {plan.size() / 1e6:.1f} MB"
    )


def _as_json(captured: Captured) -> dict[str, object]:
    capsule = captured.capsule
    return {
        "name": captured.name,
        "digest": captured.descriptor.digest,
        "replaced": captured.replaced,
        "files": len(capsule.files),
        "kept": sum(file.stored is not None for file in capsule.files),
        "bytes": sum(file.stored.size for file in capsule.files if file.stored),
        "jobs": len(capsule.jobs),
        "images": [image.config for image in capsule.images],
        "unknown": list(capsule.unknown),
        "not_closed": list(capsule.not_closed),
    }


def _tell(captured: Captured, tar: Path | None) -> None:
    capsule = captured.capsule
    roles = Counter(file.role.value for file in capsule.files if file.stored)
    size = sum(file.stored.size for file in capsule.files if file.stored)
    kept = ", ".join(f"{count} {role}" for role, count in sorted(roles.items()))
    click.echo(f"captured {captured.name}: {captured.descriptor.digest}")
    click.echo(
        f"    {len(capsule.jobs)} jobs, {len(capsule.images)} images, files: {kept} ({size / 1e6:.1f} MB)"
    )
    if captured.replaced:
        click.echo(f"    the name meant {captured.replaced} before, which 'relance store gc' removes now")
    for text in truth.unheard(capsule.specification.interface.parameters, results.configuration(capsule)):
        click.echo(f"    {text}")
    for text in capsule.unknown:
        click.echo(f"    not known: {text}")
    for text in capsule.not_closed:
        click.echo(f"    not closed: {text}")
    if tar:
        click.echo(f"    also in {tar}")
    click.echo(f"next: relance verify {captured.name} --rerun")
