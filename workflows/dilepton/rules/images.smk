# The images that the steps run in: what was built here, else what was published.
import os
import shutil

import yaml


def uses_containers():
    """Whether steps run in containers (asked of Snakemake 9, else of Snakemake 7)."""
    if os.environ.get("RELANCE_RUNTIME") == "plain":
        return False
    settings = getattr(workflow, "deployment_settings", None)
    if settings is None:
        return bool(getattr(workflow, "use_singularity", False))
    return any(method.name == "APPTAINER" for method in settings.deployment_method)


def building():
    """The command that builds the images: a clone alone has no relance yet, which make installs."""
    alone = shutil.which("relance") is None
    makes = (Path(workflow.basedir) / "Makefile").is_file()
    return "make images" if alone and makes else "relance images build"


def image(name):
    """The image of a step: a runtime image on this machine, or a published one by digest."""
    local = Path(workflow.basedir) / "containers/images.local.yaml"
    lock = Path(workflow.basedir) / "containers/images.lock.yaml"
    built = yaml.safe_load(local.read_text("utf-8"))["images"] if local.exists() else {}
    published = (
        yaml.safe_load(lock.read_text("utf-8"))["images"] if lock.exists() else {}
    )
    if name in built:
        return built[name]["runtime"]["path"]
    if name in published:
        return f"docker://{published[name]['reference']}"
    if uses_containers():
        raise WorkflowError(
            f"image '{name}' is neither built on this machine nor published; type:\n\n    {building()}\n"
        )
    return f"docker://relance/{name}"
