"""The step store and the capsule's own results put to use in a work folder: plan, restore, remember."""

from __future__ import annotations

import platform
from dataclasses import replace

from relance.capsule.model import Capsule, CapsuleImage
from relance.engines import environments
from relance.engines.snakemake import RunFolder
from relance.model import UNKNOWN, ImageRef, JobRecord, RunRecord, RuntimeKind
from relance.recast.known import known
from relance.recording.build import Effects
from relance.rerun import execution
from relance.rerun.execution import Settings
from relance.rerun.folder import Work
from relance.steps import key, situation
from relance.steps import plan as steps_plan
from relance.steps.plan import Plan, Situation
from relance.steps.remember import Keeping, Remembered
from relance.steps.remember import remember as remember_steps
from relance.steps.restore import Restored
from relance.steps.restore import restore as restore_steps
from relance.steps.situation import Place, Runner

_OWN = "docker://relance/"
_PLANNED = "planned"  # a run's folder that is not there: nothing runs yet


def look(work: Work, settings: Settings) -> Situation:
    """Read the workflow of a work folder with the changed values, and what lies there.

    Raises:
        InputError: Snakemake refuses the workflow.
        MissingPartError: there is no sandbox on this machine.
    """
    graph = execution.graph(work, settings)
    place = Place(work.analysis, RunFolder(work.runs / _PLANNED), graph)
    effects = Effects(work.digests, settings.say, lambda _done, _total: None)
    found = situation.read(place, _runner(work, settings), effects)
    if _plain(settings):
        return found
    # Whatever a rule writes for an image, the work folder has the captured one for it and no other.
    images = {
        written: key.contained_image(image.config)
        for image in work.capsule.images
        for written in image.written
    }
    return replace(found, context=replace(found.context, images=images))


def plan(found: Situation, work: Work, settings: Settings, *, restoring: bool) -> Plan:
    """Say what becomes of each job: from the store, and from what the capsule knows of its own jobs."""
    if not restoring:
        nothing = replace(
            found, jobs=tuple(replace(asked, never="nothing is to be restored") for asked in found.jobs)
        )
        return steps_plan.plan(nothing, work.store)
    own = known(work.capsule, found.context) if _alike(work.capsule, settings) else {}
    return steps_plan.plan(replace(found, known=own), work.store)


def restore(planned: Plan, work: Work) -> Restored:
    """Put back what the plan says.

    Raises:
        InputError: a link of the capsule leads out of the work folder.
    """
    return restore_steps(planned.jobs, work.analysis, work.store, links=False)


def remember(ran: RunRecord, work: Work, found: Situation) -> Remembered:
    """Make entries of the jobs that ran; what a job makes follows from its key, whoever asked for it."""
    keeping = Keeping(work.digests)
    return remember_steps(work.store, ran, work.analysis, found.context, keeping)


def name(job: JobRecord) -> str:
    """Return how people tell a job from others: its rule and wildcards."""
    wildcards = {} if isinstance(job.wildcards, str) else job.wildcards
    return " ".join([job.rule, *(f"{name}={value}" for name, value in wildcards.items())])


def _runner(work: Work, settings: Settings) -> Runner:
    root = environments.root_for(work.analysis, settings.cache)
    return Runner(
        RuntimeKind.PLAIN if _plain(settings) else RuntimeKind.APPTAINER,
        images=tuple(_named(image) for image in work.capsule.images),
        environments=environments.of_analysis(work.analysis, root),
        outside=work.capsule.specification.outside,
    )


def _named(image: CapsuleImage) -> ImageRef:
    """Return an image by the name that `envs/NAME.txt` has for it."""
    own = (written.removeprefix(_OWN) for written in image.written if written.startswith(_OWN))
    return ImageRef(next(own, ""), image.written, image.config, None)


def _plain(settings: Settings) -> bool:
    return settings.runtime is RuntimeKind.PLAIN


def _alike(capsule: Capsule, settings: Settings) -> bool:
    """Return whether the captured jobs ran in what jobs run in now, as far as that tells in results.

    Plain processes use this machine's programs and libraries: those of another are others.
    """
    if capsule.run.runtime != RuntimeKind.PLAIN:
        return not _plain(settings) and capsule.run.runtime != UNKNOWN
    return _plain(settings) and capsule.run.libc == " ".join(platform.libc_ver()).strip()
