"""What people find beside an exported form: what it is, how it is run, what may be changed."""

from __future__ import annotations

from collections.abc import Mapping

from relance.languages.writing.form import Form
from relance.languages.writing.jobs import Plan

NAME = "EXPORT.md"


def text(language: str, plan: Plan, form: Form, names: Mapping[str, str], fixed: Mapping[str, str]) -> str:
    """Return the guide in Markdown.

    Args:
        language: of the form.
        plan: the jobs.
        form: what is written.
        names: of each setting, the analysis's parameter that it is.
        fixed: why other parameters can't be changed here, by their names.
    """
    lines = [f"# {plan.name} for {language}", ""]
    lines += [f"{len(plan.steps)} jobs, each with the command that Snakemake would run, in its image.", ""]
    lines += [*(f"    {command}" for command in form.run), ""]
    lines += ["The results:", "", *(f"- `{path}`" for path in plan.results), ""]
    if plan.settings:
        lines += ["| setting | value | parameter of the analysis | |", "|---|---|---|---|"]
        for setting in plan.settings:
            unit = f" in {setting.unit}" if setting.unit else ""
            cells = (f"`{setting.name}`", setting.value, f"{names[setting.name]}{unit}", _cell(setting.title))
            lines.append(f"| {' | '.join(cells)} |")
        lines.append("")
    else:
        lines += ["All parameters are fixed as they were.", ""]
    if fixed:
        lines += ["Fixed:", "", *(f"- {name}: {reason}" for name, reason in fixed.items()), ""]
    return "\n".join(lines)


def _cell(words: str) -> str:
    return " ".join(words.split()).replace("|", "/")
