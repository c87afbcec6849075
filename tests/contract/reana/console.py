"""What Snakemake printed, as the jobs that a server's logs tell of."""

import re
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime

_STAMP = re.compile(r"\[(\w{3} \w{3} +\d+ [\d:]{8} \d{4})\]")


@dataclass
class Job:
    number: str
    rule: str
    log: str
    started: str | None
    finished: str | None = None
    status: str = "running"
    command: str = ""


@dataclass
class Console:
    """Reads line by line; a job's log is the file that its rule names."""

    named: bool = True
    """Whether commands are said to be some; else they are what follows on an empty line behind a job."""
    jobs: list[Job] = field(default_factory=list)
    rule: str = ""
    log: str = ""
    when: str | None = None
    in_job: bool = False
    in_command: bool = False

    def read(self, lines: Iterable[str]) -> list[Job]:
        for line in lines:
            stamp = _STAMP.fullmatch(line)
            if self.in_command and (line.startswith((" ", "\t")) if self.named else not stamp):
                self.jobs[-1].command += f"\n{line}"
                continue
            self.in_command = False
            if self.in_job and not line and not self.named:
                self.in_job, self.in_command = False, True
            elif stamp:
                self.in_job = False
                at = datetime.strptime(stamp[1], "%a %b %d %H:%M:%S %Y").astimezone(UTC)
                self.when = at.strftime("%Y-%m-%dT%H:%M:%S")
            elif self.jobs and line.startswith("Shell command: "):
                self.in_command = True
                said = line.removeprefix("Shell command: ")
                self.jobs[-1].command = "" if said == "None" else said
            else:
                self.other(line)
        for job in self.jobs:
            job.command = job.command.strip("\n")
        return self.jobs

    def other(self, line: str) -> None:
        if begun := re.match(r"(?:local)?(?:rule|checkpoint) (\w+):", line):
            self.rule, self.log = begun[1], ""
        elif named := re.match(r"    log: (\S+)", line):
            self.log = named[1]
        elif number := re.match(r"    jobid: (\d+)", line):
            if any(job.number == number[1] for job in self.jobs):
                return  # of an error
            self.jobs.append(Job(number[1], self.rule, self.log, self.when))
            self.in_job = True
        elif done := re.match(r"Finished job(?:id:)? (\d+)", line):
            for job in self.jobs:
                if job.number == done[1]:
                    job.status, job.finished = "finished", self.when
        elif failed := re.match(r"Error in rule (\w+):", line):
            for job in self.jobs:
                if job.rule == failed[1] and job.status == "running":
                    job.status = "failed"


def key(run: str, job: Job) -> str:
    """Return the identifier that a server would give to a job of a run."""
    return str(uuid.uuid5(uuid.UUID(run), job.number))
