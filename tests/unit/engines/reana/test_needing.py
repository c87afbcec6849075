"""Who asks a server for Kerberos, a VOMS proxy or Rucio, in each language."""

from pathlib import Path

import pytest
import yaml

from relance.engines.reana import declared
from relance.engines.reana.credentials import WAYS
from relance.engines.reana.model import Secret
from relance.engines.reana.needing import Credential, needed

KERBEROS, VOMS, RUCIO = Credential.KERBEROS, Credential.VOMS, Credential.RUCIO
SNAKEFILE = """
rule all:
    input: "b.txt"
rule plain:
    output: "a.txt"
    resources: voms_proxy=False, mem_mb=lambda wildcards, attempt: 100 * attempt
    shell: "touch {output}"
rule grid:
    input: "a.txt"
    output: "b.txt"
    resources: voms_proxy=True, rucio=True
    shell: "touch {output}"
rule batch:
    output: "c.txt"
    resources: compute_backend="slurmcern"
    shell: "touch {output}"
"""
SERIAL = {
    "steps": [
        {"name": "fetch", "environment": "a:1", "commands": ["true"], "kerberos": True},
        {"environment": "a:1", "commands": ["true"], "voms_proxy": True, "rucio": False},
    ]
}
YADAGE = """
stages:
  - name: inner
    dependencies: [init]
    scheduler:
      scheduler_type: singlestep-stage
      parameters: {}
      step:
        process: {process_type: string-interpolated-cmd, cmd: "true"}
        publisher: {publisher_type: constant-pub, publish: {}}
        environment:
          environment_type: docker-encapsulated
          image: a
          imagetag: "1"
          resources: [CVMFS, GRIDProxy, {kerberos: true, kubernetes_uid: 500}]
"""
CWL = {
    "cwlVersion": "v1.0",
    "class": "Workflow",
    "steps": {"one": {"hints": {"reana": {"kerberos": True}}, "run": "tool.cwl"}},
    "hints": [{"class": "reana", "voms_proxy": True}],
}


def analysis(folder: Path, kind: str, resources: object = None) -> declared.Declared:
    workflow: dict[str, object] = {"type": kind, "resources": resources}
    if kind == "serial":
        workflow["specification"] = SERIAL
    else:
        name = {"snakemake": "Snakefile", "yadage": "flows/flow.yml", "cwl": "flow.cwl"}[kind]
        (folder / name).parent.mkdir(exist_ok=True)
        text = {"snakemake": SNAKEFILE, "yadage": YADAGE, "cwl": yaml.safe_dump(CWL)}[kind]
        (folder / name).write_text(text)
        workflow["file"] = name
    (folder / "reana.yaml").write_text(yaml.safe_dump({"workflow": workflow}))
    return declared.read(folder)


@pytest.mark.parametrize(
    ("kind", "who"),
    [
        ("snakemake", {KERBEROS: ("rule 'batch'",), VOMS: ("rule 'grid'",), RUCIO: ("rule 'grid'",)}),
        ("serial", {KERBEROS: ("step 'fetch'",), VOMS: ("step '2'",)}),
        ("yadage", {KERBEROS: ("stage 'inner'",)}),
        ("cwl", {KERBEROS: ("flow.cwl",), VOMS: ("flow.cwl",)}),
    ],
)
def test_steps_say_what_they_need_in_each_language(
    tmp_path: Path, kind: str, who: dict[Credential, tuple[str, ...]]
) -> None:
    assert needed(analysis(tmp_path, kind)) == who


def test_what_the_whole_workflow_needs_is_told_first(tmp_path: Path) -> None:
    found = needed(analysis(tmp_path, "serial", {"kerberos": True, "cvmfs": ["atlas.cern.ch"]}))
    assert found[KERBEROS] == ("the workflow", "step 'fetch'")


def test_a_workflow_that_cannot_be_read_here_is_left_to_the_server(tmp_path: Path) -> None:
    found = analysis(tmp_path, "yadage")
    (tmp_path / "flows/flow.yml").write_text("stages: [")
    assert needed(found) == {}


@pytest.mark.parametrize(
    ("credential", "secrets", "enough"),
    [
        (KERBEROS, "env:CERN_USER env:CERN_KEYTAB file:.keytab", True),
        (KERBEROS, "env:CERN_USER env:CERN_KEYTAB", False),
        (KERBEROS, "env:CERN_USER env:CERN_KEYTAB file:userkey.pem", False),
        (KERBEROS, "file:CERN_USER env:CERN_KEYTAB file:.keytab", False),
        (VOMS, "env:VOMSPROXY_FILE file:x509up_u1000", True),
        (VOMS, "env:VONAME env:VOMSPROXY_PASS file:usercert.pem file:userkey.pem", True),
        (VOMS, "env:VONAME file:usercert.pem file:userkey.pem", False),
        (RUCIO, "env:VONAME env:RUCIO_USERNAME", True),
        (RUCIO, "env:VONAME", False),
    ],
)
def test_a_credential_takes_all_secrets_of_one_way(
    credential: Credential, secrets: str, enough: bool
) -> None:
    kept = [Secret(name, kind) for kind, _, name in (one.partition(":") for one in secrets.split())]
    assert any(not way.lacks(kept) for way in WAYS[credential]) is enough
