"""Writes the text it was given as often as its factor says."""

from pathlib import Path

text = Path(snakemake.input[0]).read_text("utf-8")  # noqa: F821
Path(snakemake.output[0]).write_text(text * int(snakemake.params.factor), "utf-8")  # noqa: F821
