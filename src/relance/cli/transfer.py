"""`relance push` and `relance pull`: capsules, and what is said of them, between stores and registries."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path

import click

from relance.capsule import archive, oci, publicity, reading, sources, writing
from relance.cli import capsules, places, registries, signals
from relance.cli.inspect import size
from relance.cli.progress import counting
from relance.model import Digest
from relance.store import manifests
from relance.store.descriptors import LARGEST_MANIFEST, Descriptor
from relance.store.layout import Layout
from relance.store.registry import pulling, pushing, referrers
from relance.store.registry.blobs import RemoteBlobs
from relance.store.registry.reference import Reference
from relance.store.registry.session import Access, Session
from relance.store.registry.transfer import Moved, Told
from relance.store.store import Store

PULLED = "pulled/"
"""What the names of other pulled content than capsules begin with in a layout's index."""

_THREADS = click.option(
    "--threads", type=click.IntRange(1, 64), default=4, show_default=True, help="Blobs moved at once."
)
_REPORTS = click.option(
    "--with-reports", is_flag=True, help="Reports and approvals about it too, and all else that refers to it."
)
_JSON = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON on standard output.")
_QUIET = click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors.")


@click.command(epilog=capsules.HELP)
@click.argument("capsule")
@click.argument("reference")
@_REPORTS
@click.option(
    "--mount-from",
    "others",
    metavar="REPOSITORY",
    multiple=True,
    help="A repository of the same registry that may have blobs already; can be given several times.",
)
@click.option(
    "--public", is_flag=True, help="Refuse if anything of it isn't for everybody, as the specification says."
)
@click.option(
    "--with-blinded",
    is_flag=True,
    help="Push blinded products too: whoever may pull can read them.",
)
@_THREADS
@registries.CA_FILE
@click.option("-n", "--dry-run", is_flag=True, help="Say what would be pushed; push nothing.")
@places.STORE
@_JSON
@_QUIET
def push(  # noqa: PLR0917 - click passes each by name
    capsule: str,
    reference: str,
    with_reports: bool,
    others: tuple[str, ...],
    public: bool,
    with_blinded: bool,
    threads: int,
    ca_file: Path | None,
    dry_run: bool,
    chosen_store: Path | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Push CAPSULE to REFERENCE, HOST/REPOSITORY:TAG.

    Its digest stays what it is. What the registry has already isn't sent again; an interrupted push goes on
    when the same command is typed again. Logins: RELANCE_REGISTRY_USER and RELANCE_REGISTRY_PASSWORD,
    RELANCE_REGISTRY_TOKEN, or those of 'podman login'. A capsule with blinded products is refused unless
    --with-blinded says that the registry is for those who may see them.
    """
    if public and with_blinded:
        raise click.UsageError("--public goes without --with-blinded")
    target = Reference.parse(reference)
    store, root = found(capsule, os.environ, chosen_store)
    layout = store.layout
    _refuse_hidden(layout, root, public=public, with_blinded=with_blinded)
    about = referrers.in_layout(layout, root.digest) if with_reports else ()
    if dry_run:
        _tell_plan(layout, (root, *about), target, as_json=as_json)
        return
    access = registries.access(os.environ, target.host, ca_file)
    with signals.raising(), counting("pushing", quiet=quiet) as show:
        done = pushing.push(
            layout, root, target, access, threads=threads, mount_from=others, told=_shown(show)
        )
        for report in about:
            place = Reference(target.host, target.repository, report.digest)
            pushing.push(layout, report, place, access, threads=threads)
    if as_json:
        row = {"reference": str(done.reference), "digest": root.digest, "size": done.size, "sent": done.sent}
        click.echo(json.dumps({**row, "reports": [report.digest for report in about]}, indent=2))
    elif not quiet:
        already = f" ({size(done.size - done.sent)} were there already)" if done.sent < done.size else ""
        click.echo(f"pushed {size(done.sent)}{already}", err=True)
        click.echo(str(done.reference))


@click.command()
@click.argument("reference")
@click.option("--name", metavar="NAME", help="What the store calls it (default: a capsule's own name).")
@_REPORTS
@_THREADS
@registries.CA_FILE
@places.STORE
@_JSON
@_QUIET
def pull(  # noqa: PLR0917 - click passes each by name
    reference: str,
    name: str | None,
    with_reports: bool,
    threads: int,
    ca_file: Path | None,
    chosen_store: Path | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Pull REFERENCE, HOST/REPOSITORY:TAG or @sha256:…, into the store, every byte verified.

    What is in the store already isn't fetched; an interrupted pull goes on where it was when the same
    command is typed again.
    """
    source = Reference.parse(reference)
    access = registries.access(os.environ, source.host, ca_file)
    store = Store(places.store(os.environ, chosen_store))
    with signals.raising(), store.writing(), counting("pulling", quiet=quiet) as show:
        layout = store.layout
        pinned = _checked(source, access)
        got = pulling.pull(layout, pinned, access, threads=threads, told=_shown(show))
        named = keep(layout, got.manifest, got.reference, name)
        about = _reports(layout, got.reference, access, threads) if with_reports else ()
    if as_json:
        row = {"reference": str(got.reference), "digest": got.manifest.digest, "name": named}
        listed = [report.digest for report in about]
        click.echo(json.dumps({**row, "fetched": got.fetched, "reports": listed}, indent=2))
    elif not quiet:
        click.echo(f"pulled {size(got.fetched)}: {named}", err=True)
        click.echo(got.manifest.digest)


def found(text: str, environment: Mapping[str, str], chosen: Path | None) -> tuple[Store, Descriptor]:
    """Return the capsule that is meant, or what another name of the store's index means.

    Raises:
        InputError: nothing, or a capsule that is broken or hostile.
        MissingPartError: a registry does not answer, or refuses.
    """
    store = Store(places.store(environment, chosen))
    named = store.layout.names().get(text) if store.content.exists() else None
    if named is not None:
        return store, named
    store, described, _ = capsules.opened(text, environment, chosen)
    return store, described


def _refuse_hidden(layout: Layout, root: Descriptor, *, public: bool, with_blinded: bool) -> None:
    """Refuse a capsule of which something is not meant for a registry.

    Raises:
        InputError: it names what isn't.
    """
    if root.artifact_type != oci.CAPSULE_TYPE:
        return
    capsule = reading.read(layout, root)
    if public:
        publicity.refuse_what_is_not_public(capsule)
    elif not with_blinded:
        publicity.refuse_what_is_blinded(capsule)


def _checked(reference: Reference, access: Access) -> Reference:
    """Return what a reference means now; of a capsule, everything that tells of it is read first.

    Raises:
        InputError: it is a capsule, and broken or hostile.
    """
    with Session(reference, access) as session:
        root, _ = pulling.resolve(session, reference)
        if root.artifact_type == oci.CAPSULE_TYPE:
            reading.read(RemoteBlobs(session), root)
    return Reference(reference.host, reference.repository, root.digest, reference.tag)


def keep(layout: Layout, manifest: Descriptor, reference: Reference, name: str | None) -> str:
    """Name what was pulled in the layout's index, a capsule by its own name; return the name.

    Raises:
        InputError: it is a capsule, and broken or hostile; or the name means another one here.
    """
    if manifest.artifact_type != oci.CAPSULE_TYPE:
        subject = manifests.parse(layout.read(manifest.digest, largest=LARGEST_MANIFEST), manifest).subject
        if subject is not None and name is None:
            layout.attach(manifest)
            return f"about {subject.digest}"
        chosen = name or f"{PULLED}{reference.name}:{reference.tag or reference.pin}"
        layout.name(chosen, manifest)
        return chosen
    capsule = reading.read(layout, manifest)
    named = writing.full_name(name or capsule.specification.identity.name, capsule)
    with sources.opened(layout.folder) as source:
        archive.bring(layout, source, manifest, name=named.removeprefix(writing.NAMES))
    return named


def _reports(layout: Layout, reference: Reference, access: Access, threads: int) -> tuple[Descriptor, ...]:
    about = referrers.listed(reference, access)
    for report in about:
        place = Reference(reference.host, reference.repository, report.digest)
        layout.attach(pulling.pull(layout, place, access, threads=threads).manifest)
    return about


def _tell_plan(layout: Layout, roots: tuple[Descriptor, ...], target: Reference, *, as_json: bool) -> None:
    blobs: dict[Digest, int] = {}
    for root in roots:
        blobs |= {blob.digest: blob.size for blob in pushing.reached(layout, root).blobs}
    total = sum(blobs.values())
    if as_json:
        plan = {"reference": str(target), "digest": roots[0].digest, "blobs": len(blobs), "size": total}
        click.echo(json.dumps(plan, indent=2))
    else:
        click.echo(f"{roots[0].digest} would be pushed to {target}: {len(blobs)} blobs, {size(total)}")


def _shown(show: Callable[[int, int], None]) -> Told:
    def told(moved: Moved) -> None:
        show(moved.size, moved.of_size)

    return told
