# The configuration, checked, and the plan of samples that follows from it.
import json
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError

SCRIPTS = "workflows/dilepton/scripts"
sys.path.insert(0, str(Path(workflow.basedir) / SCRIPTS))

from dilepton import configuration, plan
from dilepton.errors import AnalysisError

if "samples" not in config:

    configfile: "workflows/dilepton/config/quick.yaml"


def is_here(file):
    """Whether a file that the configuration names is there, as far as that can be told."""
    # Snakemake takes results that lie there for right, though what they are made of is gone.
    settings = getattr(workflow, "storage_settings", workflow)
    providers = ("default_storage_provider", "default_remote_provider")
    elsewhere = any(getattr(settings, name, None) for name in providers)
    return elsewhere or Path(file).is_file()


try:
    schema = Path(workflow.basedir) / "workflows/dilepton/schemas/config.schema.json"
    config = configuration.check(
        config,
        json.loads(schema.read_text("utf-8")),
        [Path(file) for file in workflow.configfiles],
        is_file=is_here,
    )
    PLAN = plan.Plan(config)
except AnalysisError as error:
    raise WorkflowError(f"the configuration is refused:\n{error}")

OUTPUT = config["output"]
SAMPLES = [plan.SIGNAL, *PLAN.backgrounds]


wildcard_constraints:
    stream="templates|pseudodata",
    sample="[a-z][a-z0-9_]*",
    part="[0-9]+",


def lhe_file(wildcards):
    """The LHE file that a sample is showered from: none, or one."""
    file = PLAN.showered(wildcards.sample)
    return [file] if file else []


def generation_options(wildcards):
    """What generate.py is asked for."""
    return PLAN.generation_options(
        wildcards.stream, wildcards.sample, int(wildcards.part)
    )


def events_file(wildcards):
    """Events of one part: a file that was given, or what generation makes."""
    given = PLAN.given(wildcards.stream, wildcards.sample)
    return (
        given
        or f"{OUTPUT}/generation/{wildcards.stream}/{wildcards.sample}.{wildcards.part}.hepmc.gz"
    )


def reduction_options(wildcards):
    """What reduce.py is asked for."""
    return PLAN.reduction_options(
        wildcards.stream, wildcards.sample, int(wildcards.part)
    )


def ntuples(stream, samples):
    """The ntuples of all parts of some samples."""
    return [
        f"{OUTPUT}/reduction/{stream}/{sample}.{part}.root"
        for sample in samples
        for part in PLAN.parts(sample)
    ]


def template_ntuples(wildcards):
    """The ntuples that one sample's templates are filled from."""
    return ntuples(plan.TEMPLATES, [wildcards.sample])
