"""What ran: the workflow as a whole, and each of its jobs."""

from __future__ import annotations

from collections.abc import Iterator

from relance.capsule.model import CapsuleJob
from relance.model import UNKNOWN
from relance.publish.entities.model import Entity, Subject, author_id, date
from relance.publish.entities.workflow import SNAKEMAKE

RUN, ENGINE_RUN = "#run", "#engine-run"
_COMPLETED = "http://schema.org/CompletedActionStatus"
_FAILED = "http://schema.org/FailedActionStatus"


def entities(subject: Subject) -> Iterator[Entity]:
    """Give the run, what Snakemake did, and every job."""
    yield from _run(subject)
    for number, job in enumerate(subject.capsule.jobs):
        yield from _job(subject, number, job)


def _run(subject: Subject) -> Iterator[Entity]:
    capsule = subject.capsule
    agent = author_id(0, capsule.specification.identity.authors[0].orcid)
    raw = sorted({path for job in capsule.jobs for path in job.record.inputs if path not in subject.made})
    targets = [path for path in capsule.run.targets if path in subject.made]
    yield {
        "@id": RUN,
        "@type": "CreateAction",
        "name": f"run of {capsule.specification.identity.title}",
        "instrument": {"@id": subject.main},
        "agent": {"@id": agent},
        "object": [
            *({"@id": subject.reference(path)} for path in raw),
            *({"@id": f"#value-{name}"} for name, *_ in subject.parameters()),
        ],
        "result": [{"@id": subject.reference(path)} for path in targets],
        "actionStatus": {"@id": _COMPLETED},
        **_times(capsule.started, capsule.ended),
    }
    yield {
        "@id": ENGINE_RUN,
        "@type": "OrganizeAction",
        "name": "what Snakemake did",
        "instrument": {"@id": SNAKEMAKE},
        "agent": {"@id": agent},
        "object": [{"@id": f"#control-{number}"} for number in range(len(capsule.jobs))],
        "result": {"@id": RUN},
        "actionStatus": {"@id": _COMPLETED},
        **_times(capsule.started, capsule.ended),
    }


def _job(subject: Subject, number: int, job: CapsuleJob) -> Iterator[Entity]:
    record = job.record
    wildcards = {} if record.wildcards == UNKNOWN else record.wildcards
    name = " ".join([record.rule, *(f"{key}={value}" for key, value in sorted(wildcards.items()))])
    yield {
        "@id": f"#control-{number}",
        "@type": "ControlAction",
        "name": f"start of {name}",
        "instrument": {"@id": f"#step-{record.rule}"},
        "object": {"@id": f"#job-{number}"},
    }
    action: Entity = {
        "@id": f"#job-{number}",
        "@type": "CreateAction",
        "name": name,
        "instrument": {"@id": f"#tool-{record.rule}"},
        "agent": {"@id": author_id(0, subject.capsule.specification.identity.authors[0].orcid)},
        "object": [{"@id": subject.reference(path)} for path in record.inputs],
        "result": [{"@id": subject.reference(path)} for path in record.outputs],
        "actionStatus": {"@id": _FAILED if record.status == "failed" else _COMPLETED},
        **_times(
            None if job.times.started == UNKNOWN else job.times.started,
            None if job.times.ended == UNKNOWN else job.times.ended,
        ),
    }
    if isinstance(record.command, str) and record.command != UNKNOWN:
        action["description"] = record.command
    image = subject.images.get(getattr(record.image, "written", ""))
    if image is not None:
        action["containerImage"] = {"@id": f"#image-{image.config.removeprefix('sha256:')}"}
    yield action


def _times(started: float | None, ended: float | None) -> Entity:
    times = {"startTime": date(started), "endTime": date(ended)}
    return {key: time for key, time in times.items() if time}
