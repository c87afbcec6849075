"""The step store and the capsule's own results put to use in a work folder: plan, restore, remember."""

from __future__ import annotations

import platform
from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path

from relance.capsule.model import Capsule, Role
from relance.engines.isolated.engine import IsolatedEngine
from relance.engines.isolated.start import Start
from relance.errors import InputError
from relance.model import UNKNOWN, Digest, JobRecord, RunRecord, RuntimeKind
from relance.recast.known import Layered, known
from relance.recording import ahead
from relance.recording.build import Effects
from relance.recording.sources import Graph
from relance.rerun import absent, execution
from relance.rerun.execution import Settings
from relance.rerun.folder import Work
from relance.steps import key, situation
from relance.steps import settle as steps_settle
from relance.steps.plan import Situation
from relance.steps.remember import Keeping, Remembered
from relance.steps.remember import remember as remember_steps
from relance.steps.settle import Folders, Settled
from relance.steps.situation import Place, Runner
from relance.store.store import Store

_ONCE_MORE = "it is to run whatever is known"


@dataclass(frozen=True)
class Bench:
    """A work folder with what runs it."""

    work: Work
    settings: Settings
    engine: IsolatedEngine
    steps: Store
    """The store, with the entries that may be used and made here; see `steps_of`."""


def steps_of(store: Store, capsule: Digest, *, trusted: bool) -> Store:
    """Return the store as a capsule's recasts use it.

    A workflow that isn't trusted tells itself which job made what. Its entries are kept apart, by its digest,
    where only recasts of the same capsule look; what a trusted one makes is for everybody.
    """
    return store if trusted else _Apart(store.folder, capsule)


@dataclass(frozen=True)
class _Apart(Store):
    """A store whose step entries are those of one capsule."""

    capsule: Digest

    @property
    def steps(self) -> Path:
        return self.folder / "recasts" / self.capsule.removeprefix("sha256:") / "steps"


def settle(
    bench: Bench,
    start: Start | None = None,
    *,
    restoring: bool,
    dry: bool = False,
    once_more: Collection[tuple[str, ...]] = (),
) -> Settled:
    """Plan what runs, and put back what needn't, from the store and from what the capsule knows of its jobs.

    Args:
        bench: where.
        start: the Snakemake that is to run, if it was started.
        restoring: whether anything is put back at all.
        dry: only plan.
        once_more: outputs of jobs that run whatever is known of them.

    Raises:
        InputError: Snakemake refuses the workflow; or a link of the capsule leads out of the work folder.
    """
    work, settings = bench.work, bench.settings
    plain = bench.engine.runtime.kind is RuntimeKind.PLAIN

    def read() -> Graph:
        # The whole of it: whatever is asked for is among the jobs.
        return execution.graph(work, replace(settings, targets=()), bench.engine, start)

    def adjusted(found: Situation) -> Situation:
        found = replace(found, digests={**found.digests, **absent.digests(work)})
        jobs = tuple(
            replace(asked, never=_ONCE_MORE) if not restoring or asked.record.outputs in once_more else asked
            for asked in found.jobs
        )
        found = replace(found, jobs=jobs, targets=settings.targets or found.targets)
        if not plain:
            # Whatever a rule writes for an image, the engine has the captured one for it and no other.
            found = replace(found, context=replace(found.context, images=_images(work.capsule)))
        if not restoring or not ran_alike(work.capsule, plain=plain):
            return found
        own = known(work.capsule, found.context)
        return replace(found, known=own if bench.steps is work.store else Layered(own, work.store))

    ahead.look_through(work.analysis / file.path for file in work.capsule.files if file.role is Role.SOURCE)
    settled = steps_settle.settle(
        read,
        Folders(work.analysis, execution.reading(work), work.lies),
        _runner(bench),
        bench.steps,
        _effects(bench),
        dry=dry,
        links=False,
        adjusted=adjusted,
    )
    if settled is None:
        raise InputError(
            "the workflow can't be read", expected="its graph", found="none", next_step="see 'relance verify'"
        )
    return settled


def remember(ran: RunRecord, bench: Bench, settled: Settled) -> Remembered:
    """Make entries of the jobs that ran, for later recasts."""
    place = Place(bench.work.analysis, execution.reading(bench.work), settled.graph)
    context = situation.context(place, _runner(bench), ran.run)
    if bench.engine.runtime.kind is not RuntimeKind.PLAIN:
        context = replace(context, images=_images(bench.work.capsule))
    keeping = Keeping(bench.work.digests)
    return remember_steps(bench.steps, ran, bench.work.analysis, context, keeping)


def name(job: JobRecord) -> str:
    """Return how people tell a job from others: its rule and wildcards."""
    wildcards = {} if isinstance(job.wildcards, str) else job.wildcards
    return " ".join([job.rule, *(f"{name}={value}" for name, value in sorted(wildcards.items()))])


def _images(capsule: Capsule) -> dict[str, str]:
    return {
        written: key.contained_image(image.config) for image in capsule.images for written in image.written
    }


def _runner(bench: Bench) -> Runner:
    engine = bench.engine
    return Runner(
        engine.runtime.kind,
        engine.runtime.version,
        engine.images,
        engine.environments,
        bench.work.capsule.specification.outside,
    )


def _effects(bench: Bench) -> Effects:
    return Effects(bench.work.digests, bench.settings.say, lambda _done, _total: None)


def ran_alike(capsule: Capsule, *, plain: bool) -> bool:
    """Return whether the captured jobs ran in what jobs run in now, as far as that tells in results.

    Plain processes use this machine's programs and libraries: those of another are others.
    """
    if capsule.run.runtime != RuntimeKind.PLAIN:
        return not plain and capsule.run.runtime != UNKNOWN
    return plain and capsule.run.libc == " ".join(platform.libc_ver()).strip()
