"""The images of a capsule, made ready for what jobs run in."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from relance import digest
from relance.capsule.images import short
from relance.capsule.model import Capsule, CapsuleImage
from relance.errors import RelanceError
from relance.model import UNKNOWN, Digest, ImageRecord, ImageRef, RuntimeKind
from relance.store import images, runtime_images
from relance.store.descriptors import MANIFEST_TYPE, Descriptor
from relance.store.hashing import Hasher
from relance.store.images import LocalImage
from relance.store.normalise import Image
from relance.store.squashfs import RuntimeImage
from relance.store.store import Store

_OWN = "docker://relance/"


@dataclass(frozen=True)
class Images:
    """Makes the images of a capsule ready."""

    store: Store
    capsule: Capsule
    analysis: Path
    """The work folder's analysis, whose list of images tells what plain processes know them by."""
    say: Callable[[str], None]

    def ready(self, kind: RuntimeKind) -> tuple[ImageRef, ...]:
        """Return every image, ready for a runtime: its file made, or loaded.

        Raises:
            InputError: a layer is missing, damaged or hostile.
            MissingPartError: a program that makes runtime images is missing, or the engine refuses one.
        """
        names = self._names()
        ready = tuple(self._ready(image, names, kind) for image in self.capsule.images)
        return (*ready, *self._locked(ready)) if kind is RuntimeKind.PLAIN else ready

    def _locked(self, ready: tuple[ImageRef, ...]) -> Iterator[ImageRef]:
        """Yield what a plain run needs no image for: the capsule of one may hold none."""
        held = {written for image in ready for written in image.written}
        for path in sorted(self.analysis.glob("envs/*.txt")):
            written = f"{_OWN}{path.stem}"
            if written not in held:
                yield ImageRef(path.stem, (written,), None, None)

    def _ready(self, image: CapsuleImage, names: dict[str, str], kind: RuntimeKind) -> ImageRef:
        name = next((names[written] for written in image.written if written in names), short(image))
        file = None
        if kind is RuntimeKind.APPTAINER:
            file = self._file(image)
        elif kind is not RuntimeKind.PLAIN:
            self._load(image, kind)
        return ImageRef(name, image.written, image.config, file)

    def _file(self, image: CapsuleImage) -> Path:
        """Return the runtime image, from the store or made of the layers."""
        # What the capsule says its runtime image is may be another image of the store: only what was made of
        # these layers here counts.
        known = runtime_images.made_of(self.store, image.config)
        if known is not None:
            path = runtime_images.path(self.store, known)
            if path.is_file() and self._digest(path) == known:
                return path
        self.say(f"making the runtime image {short(image)} (once)")
        return runtime_images.make(self.store, self._image(image)).path

    def _digest(self, path: Path) -> Digest:
        """Return the digest of a runtime image; the store remembers it for as long as nobody writes there."""
        hasher = Hasher(self.store.runtime.parent / "digests.json")
        found = hasher.files([path])[path]
        with suppress(OSError):  # a store of others: nothing can be remembered
            hasher.remember()
        return found

    def _load(self, image: CapsuleImage, kind: RuntimeKind) -> None:
        from relance.store import builders, loading  # noqa: PLC0415 - Docker's library takes a while

        engine = next(one for one in builders.loading_engines() if one.name == kind.value)
        if engine.has(image.config):
            return
        self.say(f"loading the image {short(image)} into {kind.capitalize()} (once)")
        unused = RuntimeImage(Path(), image.config, 0)
        local = LocalImage(
            key=image.config,
            config=image.config,
            manifest=image.manifest,
            base=image.config,
            builder=engine.name,
            reference=f"localhost/relance/capsule:{short(image)}",
            runtime=unused,
        )
        loading.load(self.store.content, local, engine)

    def _image(self, image: CapsuleImage) -> Image:
        described = Descriptor(MANIFEST_TYPE, image.manifest, image.manifest_size)
        return Image.read(self.store.layout, described)

    def _names(self) -> dict[str, str]:
        """Return by what rules write the name that `envs/NAME.txt` has for it."""
        found = {}
        for image in self.capsule.images:
            for written in image.written:
                if written.startswith(_OWN):
                    found[written] = written.removeprefix(_OWN)
        try:
            known = images.known(self.analysis)
        except RelanceError:
            return found
        found.update({str(built.runtime.path): name for name, built in known.local.items()})
        found.update({f"docker://{one.reference}": name for name, one in known.published.items()})
        return found


def stand_ins(capsule: Capsule, ran: Mapping[str, ImageRecord]) -> dict[str, ImageRecord]:
    """Return what the record says of images in whose place a mapping put others, then or now."""
    return {
        written: replace(ran[written], manifest=image.manifest)
        for image in capsule.images
        for written in image.written
        if image.stands_for is not None and written in ran and ran[written].config == image.config
    }


def records(ready: tuple[ImageRef, ...], kind: RuntimeKind) -> dict[str, ImageRecord]:
    """Return what a run's record says of each image that rules may write: no other can have been run."""
    found = {}
    for image in ready:
        # The store names a runtime image by its digest, which was checked when it was made ready.
        file = image.runtime_path
        runtime = digest.parse(f"sha256:{file.stem}") if file is not None else UNKNOWN
        for written in image.written:
            if kind is RuntimeKind.PLAIN or image.config is None:
                found[written] = ImageRecord(written)
            else:
                found[written] = ImageRecord(written, UNKNOWN, image.config, runtime, "run")
    return found
