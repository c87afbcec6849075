"""Workflows of yadage as people write them."""

from pathlib import Path

from relance.languages.yadage import workflows

WORKFLOWS = Path(__file__).parents[2] / "analyses" / "yadage"
NAMES = sorted(path.stem for path in WORKFLOWS.glob("*.yml") if "input" not in path.name)
STEP = """{process: {process_type: string-interpolated-cmd, cmd: 'echo {a}'},
      environment: {environment_type: docker-encapsulated, image: busybox, imagetag: '1.36',
        resources: [CVMFS, GRIDProxy, {kerberos: true}]},
      publisher: {publisher_type: fromparjq-pub}}"""
STAGE = f"""stages:
- name: one
  scheduler:
    scheduler_type: singlestep-stage
    parameters: {{a: {{step: init, output: a}}}}
    step: {STEP}
"""


def read(folder: Path, text: str, **others: str) -> workflows.Reading:
    """Return a workflow written with others beside it."""
    (folder / "w.yml").write_text(text)
    for name, content in others.items():
        (folder / f"{name}.yml").write_text(content)
    return workflows.read(folder, "w.yml")
