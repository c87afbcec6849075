"""Files of a workspace into a folder: streamed, verified, nothing under its name before it is whole."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from relance import digest
from relance.engines.reana import paths
from relance.engines.reana.client import Client
from relance.engines.reana.journal import Journal
from relance.engines.reana.model import RemoteFile, Transferred
from relance.engines.reana.refusals import LinkError
from relance.errors import InputError, MissingPartError
from relance.model import Digest
from relance.store.http import CUTS
from relance.store.http import told as why
from relance.store.registry.transfer import Tally, Told, in_parallel

_BLOCK = 1 << 18  # bytes
_TRIES = 5


def choose(listed: Iterable[RemoteFile], wanted: Iterable[str]) -> tuple[RemoteFile, ...]:
    """Return the files that are meant by paths of files or folders.

    Raises:
        InputError: the workspace has none of a path; all such are told.
    """
    files = {file.path: file for file in listed}
    found: dict[str, RemoteFile] = {}
    missing = []
    for path in wanted:
        plain = path.removeprefix("./").rstrip("/")
        below = f"{plain}/"
        meant = (
            {plain: files[plain]}
            if plain in files
            else {name: file for name, file in files.items() if name.startswith(below)}
        )
        found |= meant
        if not meant:
            missing.append(path)
    if missing:
        raise InputError(
            f"{', '.join(missing)} can't be fetched",
            expected="files or folders of the workspace",
            found="none of that name",
            next_step="see 'relance reana files' for what there is, and 'relance reana logs' for why",
        )
    return tuple(found[name] for name in sorted(found))


def fetch(
    client: Client,
    workflow: str,
    files: Iterable[RemoteFile],
    folder: Path,
    journal: Journal,
    *,
    threads: int = 4,
    told: Told = lambda _moved: None,
    link: Callable[[str], None] | None = None,
) -> tuple[Transferred, ...]:
    """Bring files into a folder; what was fetched before and is unchanged is left as it is.

    link: hears of symbolic links, which are left out: servers list them and don't give them.

    Raises:
        InputError: a file would lie outside the folder, or over something else, or has a name that can't be
            asked for or trusted; or it is a link, and nobody hears of links.
        UnreachableError: the server breaks off for good, or gives other than it lists.
        MissingPartError: the disk is full, or takes no file for another reason.
    """
    listed = tuple(files)
    root = folder.resolve()
    there: dict[str, Transferred] = {}
    for file in listed:
        if paths.is_pattern(file.path):
            raise _unnameable(file.path)
        if paths.is_kept(file.path):
            raise _kept(file.path)
        target = root / file.path
        if not target.parent.resolve().is_relative_to(root) or target.is_symlink() or target.is_dir():
            raise _in_the_way(target)
        known = journal.known(f"{file.path}@{file.modified}")
        if known is not None and known.size == file.size and _is(target, known):
            there[file.path] = Transferred(file.path, file.size, known.digest, moved=False)
    tally = Tally(len(listed), sum(file.size for file in listed), told)
    tally.add(sum(done.size for done in there.values()), len(there))
    made: dict[str, Transferred] = {}

    def take(file: RemoteFile) -> None:
        target = root / file.path
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.parent.resolve().is_relative_to(root):
            raise _in_the_way(target)
        try:
            found = _take(client, workflow, file, target, tally)
        except LinkError:
            if link is None:
                raise
            link(file.path)
            return
        made[file.path] = Transferred(file.path, file.size, found, moved=True)
        journal.note(Transferred(f"{file.path}@{file.modified}", file.size, found, moved=True))
        tally.add(blobs=1)

    missing = [file for file in listed if file.path not in there]
    in_parallel(missing, take, tally, threads, client.session.cut)
    done = there | made
    return tuple(done[file.path] for file in listed if file.path in done)


def _take(client: Client, workflow: str, file: RemoteFile, target: Path, tally: Tally) -> Digest:
    for trial in range(1, _TRIES + 1):
        count = 0
        try:
            # No file before there is an answer to write: a thread that gets none may be left behind.
            with client.download(workflow, file.path) as answer, _beside(target) as temporary:
                counted = hashlib.sha256()
                with temporary.open("wb") as stream:
                    # One byte more than listed is enough to know that there are more.
                    while data := answer.raw.read(min(_BLOCK, file.size + 1 - count), decode_content=False):
                        stream.write(data)
                        counted.update(data)
                        count += len(data)
                        tally.add(len(data))
                        if count > file.size:
                            break
                if count == file.size:
                    temporary.chmod(0o644)
                    temporary.replace(target)
                    return Digest(f"sha256:{counted.hexdigest()}")
            found = (
                f"{'more' if count > file.size else 'fewer'} bytes of {file.path} than the {file.size} listed"
            )
        except CUTS as error:
            found = f"{why(error)}: {file.path}"
        except OSError as error:
            raise MissingPartError(
                str(target),
                expected=f"a place to write {file.size} bytes",
                found=error.strerror or type(error).__name__,
                next_step="free space, and type the same command again, which keeps what came before; "
                "or fetch into another folder with '--output'",
            ) from error
        tally.add(-count)
        if trial < _TRIES:
            client.session.pause(2.0 ** (trial - 1))
    raise client.session.broken(found)


@contextmanager
def _beside(target: Path) -> Iterator[Path]:
    """Give an empty file in the folder of another; it is gone after the block unless it was renamed."""
    handle, name = tempfile.mkstemp(prefix=f".{target.name[:200]}-", dir=target.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)


def _is(path: Path, known: Transferred) -> bool:
    return path.is_file() and path.stat().st_size == known.size and digest.of_file(path) == known.digest


def _in_the_way(path: Path) -> InputError:
    return InputError(
        f"{path} can't be fetched",
        expected="nothing there but files that were fetched",
        found="a link or a folder",
        next_step="fetch into another folder with '--output'",
    )


def _kept(path: str) -> InputError:
    return InputError(
        f"{path} can't be fetched",
        expected="nothing that programs of this machine would take for their own",
        found="a name below .git, .snakemake or .relance",
        next_step="let the workflow write it elsewhere",
    )


def _unnameable(path: str) -> InputError:
    return InputError(
        f"{path} can't be fetched",
        expected="a name without '*', '?', '[' and ']'",
        found="one that the server takes for a pattern",
        next_step="let the workflow give it another name",
    )
