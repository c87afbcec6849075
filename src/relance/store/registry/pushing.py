"""Content given to a registry: blobs first, manifests last, what is there already skipped."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from urllib.parse import quote

from relance.errors import InputError
from relance.store import manifests
from relance.store.descriptors import LARGEST_MANIFEST, Descriptor
from relance.store.layout import Layout
from relance.store.registry import referrers
from relance.store.registry.reference import Reference
from relance.store.registry.refusals import BrokenError, NotFoundError
from relance.store.registry.session import Access, Session
from relance.store.registry.transfer import Tally, Told, in_parallel
from relance.store.registry.upload import Upload

_MADE, _TAKEN, _NOTHING = 201, 202, 204


@dataclass(frozen=True)
class Pushed:
    """What was pushed; `sent` bytes were uploaded, the others were in the registry already."""

    reference: Reference
    """By digest, with the tag if one was given."""
    size: int
    """Bytes of all blobs."""
    sent: int


def push(
    layout: Layout,
    root: Descriptor,
    target: Reference,
    access: Access,
    *,
    threads: int = 4,
    mount_from: Collection[str] = (),
    told: Told = lambda _moved: None,
) -> Pushed:
    """Give a manifest or index, with everything it names, to a registry; its bytes stay as they are.

    A push that is killed leaves only blobs and manifests that nothing in the registry names yet, and the
    same call goes on. mount_from: repositories of the same registry that may have blobs already.

    Raises:
        InputError: a blob is missing or damaged; nothing of it is sent. Or `target` names another digest.
        MissingPartError: the registry does not answer.
        RefusedError: it has no such thing, or refuses.
    """
    if target.digest is not None and target.digest != root.digest:
        raise InputError(
            f"{target} can't be pushed to",
            expected=f"no digest, or {root.digest}",
            found=target.digest,
            next_step="leave the digest out",
        )
    found = reached(layout, root)
    tally = Tally(len(found.blobs), found.size, told)
    sent: list[int] = []
    with Session(target, access, writing=True, also=mount_from) as session:

        def give(blob: Descriptor) -> None:
            if _has(session, blob) or any(_mounted(session, blob, other) for other in mount_from):
                tally.add(blob.size)
            else:
                Upload(session, layout, blob, tally).run()
                sent.append(blob.size)
            tally.add(blobs=1)

        in_parallel(found.blobs, give, tally, threads, session.cut)
        for described, data in found.manifests:
            manifest = manifests.parse(data, described)
            last = described.digest == root.digest
            referrers.put_manifest(session, described, data, manifest, target.tag if last else None)
    return Pushed(Reference(target.host, target.repository, root.digest, target.tag), found.size, sum(sent))


def reached(layout: Layout, root: Descriptor) -> manifests.Reached:
    """Return everything that pushing a manifest or index means.

    Raises:
        InputError: a blob is missing, or a manifest is damaged.
    """
    found = manifests.walk(root, lambda wanted: _read(layout, wanted))
    for blob in found.blobs:
        if layout.size(blob.digest) is None:
            layout.read(blob.digest)  # says what is missing
    return found


def _read(layout: Layout, wanted: Descriptor) -> bytes | None:
    if not layout.has(wanted.digest):
        return None
    return layout.read(wanted.digest, largest=LARGEST_MANIFEST)


def _has(session: Session, blob: Descriptor) -> bool:
    try:
        session.send("HEAD", session.url(f"blobs/{blob.digest}"), {200}).close()
    except NotFoundError:
        return False
    return True


def _mounted(session: Session, blob: Descriptor, other: str) -> bool:
    question = f"blobs/uploads/?mount={quote(blob.digest, safe='')}&from={quote(other, safe='')}"
    with session.send("POST", session.url(question), {_MADE, _TAKEN}) as answer:
        if answer.status_code == _MADE:
            return True
        begun = session.following(answer)
    _cancel(session, begun)
    return False


def _cancel(session: Session, upload: str) -> None:
    try:
        session.send("DELETE", upload, {200, _TAKEN, _NOTHING}, tries=1).close()
    except (BrokenError, NotFoundError):
        return  # it ends by itself
