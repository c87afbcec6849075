"""Steps of REANA's serial workflows: their keys, parameters, images and commands."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from relance.checks.commands import Command
from relance.checks.finding import Finding
from relance.checks.images import Language, Named
from relance.checks.names import suggestion
from relance.checks.reana_file import ReanaFile, SerialStep
from relance.checks.reana_wording import unknown, wrong_value

_BACKENDS = ("kubernetes", "htcondorcern", "slurmcern", "compute4punch")
_STEP = (
    *("name", "environment", "commands", "compute_backend", "kerberos", "voms_proxy", "rucio"),
    *("unpacked_img", "kubernetes_uid", "kubernetes_job_timeout", "kubernetes_memory_limit"),
    *("kubernetes_memory_request", "kubernetes_cpu_limit", "kubernetes_cpu_request", "kubernetes_queue"),
    *("htcondor_request_cpus", "htcondor_request_memory", "htcondor_request_disk", "htcondor_requirements"),
    *("unpacked_image", "htcondor_max_runtime", "htcondor_accounting_group", "slurm_partition", "slurm_time"),
    *("c4p_cpu_cores", "c4p_memory_limit", "c4p_additional_requirements", "inputs", "params", "outputs"),
)

# What REANA fills in with Python's `string.Template`, at which it fails if there is no such parameter.
_DOLLAR = re.compile(r"\$(?:\$|\{[^}]*\}|[A-Za-z_]\w*|.?)", re.ASCII | re.DOTALL)


def check(steps: Iterable[SerialStep], found: ReanaFile | None) -> Iterator[Finding]:
    """Give what is wrong with the steps of a serial workflow, and with the parameters that `found` gives."""
    asked: set[str] = set()
    known = found.mapping("inputs", "parameters") if found is not None else {}
    for step in steps:
        for key in step.content:
            if key not in _STEP:
                yield unknown(key, _STEP, step.place_of[key])
        backend = step.content.get("compute_backend")
        if backend is not None and backend not in _BACKENDS:
            subject = f"step '{step.name}', compute_backend"
            yield wrong_value(step.place_of["compute_backend"], subject, _BACKENDS, str(backend))
        yield from _needed(step)
        for command, place in step.commands:
            dollars = tuple(dict.fromkeys(_DOLLAR.findall(command)))
            asked |= {_name(text) for text in dollars}
            for text in dollars:
                name = _name(text)
                if found is not None and text != "$$" and name not in known:
                    yield Finding(
                        "RL112",
                        place,
                        f"step '{step.name}'",
                        expected=f"one of {', '.join(sorted(known)) or 'no parameters'}",
                        found=text,
                        next_step=suggestion(name.rpartition(".")[2], known)
                        or f"write ${text} for the shell's own, or add it to 'inputs: parameters:'",
                    )
    for name in known:
        if found is not None and name not in asked:
            yield Finding(
                "RL106",
                found.place("inputs", "parameters", name),
                f"parameter {name!r}",
                expected="a command that uses it",
                found="none",
                next_step="correct its name, or remove it",
            )


def _name(dollar: str) -> str:
    return dollar[1:].strip("{}")


def images(steps: Iterable[SerialStep]) -> Iterator[Named]:
    """Give the images of a serial workflow's steps."""
    for step in steps:
        uid = str(step.content.get("kubernetes_uid"))
        user = int(uid) if uid.isdigit() else None
        if not step.content.get("unpacked_img"):
            yield Named(step.image, step.image_place, f"step '{step.name}'", Language.PLAIN, user)


def commands(steps: Iterable[SerialStep]) -> Iterator[Command]:
    """Give the commands of a serial workflow."""
    for step in steps:
        for command, place in step.commands:
            yield Command(command, place, f"step '{step.name}'")


def _needed(step: SerialStep) -> Iterator[Finding]:
    for key in ("environment", "commands"):
        if not step.content.get(key):
            yield Finding(
                "RL406",
                step.place,
                f"step '{step.name}'",
                expected=f"'{key}'",
                found="none",
                next_step=f"add '{key}: …'",
            )
