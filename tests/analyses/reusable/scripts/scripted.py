from pathlib import Path

job = snakemake  # noqa: F821
Path(job.output[0]).write_text(f"{job.params.factor} {job.config['scale']}\n", "utf-8")
