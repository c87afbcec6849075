"""The one order of a capsule's parts, so that what is equal has an equal digest."""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from dataclasses import replace

from relance import digest
from relance.capsule.encoding import encode
from relance.capsule.model import Capsule, CapsuleImage, CapsuleJob
from relance.errors import InputError

_Ready = tuple[str, tuple[str, ...], bytes, tuple[int, ...], int]
"""A job whose turn can be: what decides it, and its number."""


def ordered(capsule: Capsule) -> Capsule:
    """Return the same capsule with everything in its place, whatever order it was given in.

    Files, links and images come by name; jobs as soon as those that they need have come, else by rule and
    outputs; what jobs need is renumbered.

    Raises:
        InputError: jobs need each other in a circle, or one that isn't there.
    """
    return replace(
        capsule,
        files=tuple(sorted(capsule.files, key=lambda file: file.path)),
        links=tuple(sorted(capsule.links, key=lambda link: link.path)),
        folders=tuple(sorted(set(capsule.folders))),
        trees=dict(sorted(capsule.trees.items())),
        jobs=_jobs(capsule.jobs),
        images=tuple(sorted(map(_image, capsule.images), key=lambda image: (image.written, image.manifest))),
        unknown=tuple(sorted(set(capsule.unknown))),
        not_closed=tuple(sorted(set(capsule.not_closed))),
    )


def _image(image: CapsuleImage) -> CapsuleImage:
    return replace(image, written=tuple(sorted(set(image.written))))


def _jobs(jobs: Sequence[CapsuleJob]) -> tuple[CapsuleJob, ...]:
    waiting = [set(job.needs) for job in jobs]
    if any(not 0 <= needed < len(jobs) for needs in waiting for needed in needs):
        raise _disorder("a number that no job has")
    readers: list[list[int]] = [[] for _ in jobs]
    for number, needs in enumerate(waiting):
        for needed in needs:
            readers[needed].append(number)
    keys = [_key(job) for job in jobs]
    ready: list[_Ready] = [(*keys[number], (), number) for number, needs in enumerate(waiting) if not needs]
    heapq.heapify(ready)
    place: dict[int, int] = {}
    while ready:
        number = heapq.heappop(ready)[-1]
        place[number] = len(place)
        for reader in readers[number]:
            waiting[reader].discard(number)
            if not waiting[reader]:
                heapq.heappush(ready, (*keys[reader], _places(jobs[reader], place), reader))
    if len(place) < len(jobs):
        raise _disorder("jobs that need each other in a circle")
    return tuple(replace(jobs[number], needs=_places(jobs[number], place)) for number in place)


def _key(job: CapsuleJob) -> tuple[str, tuple[str, ...], bytes]:
    return job.record.rule, job.record.outputs, digest.canonical_json(encode(replace(job, needs=())))


def _places(job: CapsuleJob, place: Mapping[int, int]) -> tuple[int, ...]:
    return tuple(sorted({place[needed] for needed in job.needs}))


def _disorder(found: str) -> InputError:
    return InputError(
        "the jobs of a capsule have no order",
        expected="each to need only others of them, and never in a circle",
        found=found,
        next_step="record the run again",
    )
