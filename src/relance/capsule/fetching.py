"""Files that a capsule only knows, brought from where they are kept."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

from relance.capsule.checkout import Fetch
from relance.capsule.model import CapsuleFile
from relance.model import Digest
from relance.specification.model import ExternalData
from relance.store import assets
from relance.store.locations import Portals


def fetcher(
    files: Iterable[CapsuleFile],
    cache: Path,
    *,
    portals: Portals = Portals(),  # noqa: B008 - frozen
    told: Callable[[int], None] = lambda _: None,
) -> Fetch:
    """Fetch files that are kept by reference, verified, and return what lays them where they belong.

    They wait in a folder of the cache: if one can't be had, the others and its beginning are kept for the
    next time. `told` hears the bytes as they come.

    Raises:
        MissingPartError: no location of a file has it; the message names what is wrong with each.
        InputError: a location holds a password.
    """
    wanted = [file for file in files if file.stored is None and file.locations]
    folder = cache / "relance" / "external"
    folder.mkdir(parents=True, exist_ok=True)
    for file in {file.digest: file for file in wanted}.values():
        data = ExternalData(_name(file), file.size, _name(file), file.locations, file.adler32)
        assets.fetch(data, folder, portals=portals, told=told)
    left: Counter[Digest] = Counter(file.digest for file in wanted)

    def bring(file: CapsuleFile, path: Path) -> bool:
        if not left[file.digest]:
            return False
        left[file.digest] -= 1
        (shutil.copyfile if left[file.digest] else shutil.move)(folder / _name(file), path)
        return True

    return bring


def _name(file: CapsuleFile) -> str:
    return file.digest.removeprefix("sha256:")
