"""Snakemake executor plugin that runs jobs as REANA does, in containers of this machine.

REANA posts each shell command as it is: `cd WORKSPACE && COMMAND` under `bash -c`, in the rule's image, as
user 1000 of group 0. No Snakemake runs there: no folders are made beforehand, and no options of the shell are
set. What is no shell command is not run.

`relance reana rehearse` calls it, with a plan of `relance.engines.rehearsal` that says how containers start:

    snakemake --executor relance-reana --relance-reana-plan plan.json --jobs 2
"""

import json
import re
import shlex
import subprocess
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Optional

from snakemake_interface_common.exceptions import WorkflowError
from snakemake_interface_executor_plugins.executors.base import SubmittedJobInfo
from snakemake_interface_executor_plugins.executors.remote import RemoteExecutor
from snakemake_interface_executor_plugins.jobs import JobExecutorInterface
from snakemake_interface_executor_plugins.settings import CommonSettings, ExecutorSettingsBase

common_settings = CommonSettings(
    non_local_exec=True,
    implies_no_shared_fs=False,
    job_deploy_sources=False,
    auto_deploy_default_storage_provider=False,
)

_WAIT = 0.1  # seconds between two looks at what runs
# Apptainer, Podman and Docker each say it in words around these.
_NO_SHELL = re.compile(r"bash.*executable file not found|executable file .bash. not found")
# Apptainer writes no file once a container is there; so it ends if an image is not got, opened or started.
_NO_IMAGE = re.compile(
    r"FATAL: +(?:Unable to handle \S+ uri|.*could not open image|container creation failed)"
)


@dataclass
class ExecutorSettings(ExecutorSettingsBase):  # type: ignore[misc]
    """Settings of the plugin, on Snakemake's command line as `--relance-reana-…`."""

    # Snakemake reads the annotation itself and knows only this form of it.
    plan: Optional[Path] = field(  # noqa: UP045
        default=None, metadata={"help": "File that says how containers are started", "required": True}
    )


class Executor(RemoteExecutor):  # type: ignore[misc]
    """Starts a container for each job and looks at it until it ends."""

    def __post_init__(self) -> None:
        """Read the plan."""
        plan = json.loads(Path(self.workflow.executor_settings.plan).read_text("utf-8"))
        self._start: list[str] = plan["start"]
        self._shell: list[str] = plan["shell"]
        self._images: dict[str, str] = plan["images"]
        self._pulled: str = plan["pulled"]
        self._named: str = plan["named"]
        self._logs = Path(plan["logs"])
        self._failures = Path(plan["failures"])
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._never_began: dict[JobExecutorInterface, str] = {}

    def run_job(self, job: JobExecutorInterface) -> None:
        """Start a job's container."""
        written = job.container_img_url
        lacking = ""
        if not job.is_shell:
            lacking = (
                f"rule {job.name} has no 'shell:'; REANA runs nothing else, and would wait for it forever"
            )
        elif not written:
            lacking = f"rule {job.name} has no 'container:'; REANA would run it in an image of its own"
        if lacking:
            self._note(job, None)
            raise WorkflowError(lacking)
        image = self._images.get(written) or self._pulled + written.removeprefix("docker://")
        text = f"cd {shlex.quote(str(Path.cwd()))} && {job.shellcmd}"
        log = self._logs / f"{job.name}.{job.jobid}.log"
        named = log.with_suffix(".container")
        named.unlink(missing_ok=True)  # of a try before
        start = [*self._start, self._named, str(named)] if self._named else self._start
        with log.open("wb") as stream:
            process = subprocess.Popen(
                [*start, image, *self._shell, text],
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
            )
        key = str(process.pid)
        self._running[key] = process
        self.report_job_submission(SubmittedJobInfo(job=job, external_jobid=key, aux={"log": str(log)}))

    async def check_active_jobs(
        self, active_jobs: list[SubmittedJobInfo]
    ) -> AsyncGenerator[SubmittedJobInfo, None]:
        """Tell Snakemake of jobs that ended; give those back that still run."""
        self.next_seconds_between_status_checks = _WAIT
        for info in active_jobs:
            status = self._running[info.external_jobid or ""].poll()
            if status is None:
                yield info
            elif status == 0:
                self.report_job_success(info)
            else:
                said = Path((info.aux or {})["log"]).read_text("utf-8", "replace").strip()
                if _NO_SHELL.search(said):
                    said = f"the image has no bash, in which REANA runs every command; add it\n{said}"
                last = said.splitlines()[-1] if said else ""
                named = Path((info.aux or {})["log"]).with_suffix(".container")
                if (self._named and not named.exists()) or (not self._named and _NO_IMAGE.match(last)):
                    self._never_began[info.job] = said[-2000:]
                    said = f"no container began here, which says nothing about REANA\n{said}"
                self.report_job_error(info, msg=f"exit status {status}: {said[-2000:]}\n")

    def handle_job_error(self, job: JobExecutorInterface) -> None:
        """Note a job that failed, or did not make its outputs."""
        super().handle_job_error(job)
        self._note(job, self._never_began.pop(job, None))

    def _note(self, job: JobExecutorInterface, never_began: str | None) -> None:
        """Add a line about a job that failed: what the engine said if there never was a container for it."""
        failure = {"rule": job.name, "image": job.container_img_url or "", "never_began": never_began}
        with self._failures.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(failure) + "\n")

    def cancel_jobs(self, active_jobs: list[SubmittedJobInfo]) -> None:
        """End what runs."""
        for info in active_jobs:
            process = self._running[info.external_jobid or ""]
            if process.poll() is None:
                process.terminate()
                process.wait()
