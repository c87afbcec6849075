"""Workflow languages: readers into one model, and a compiler of that model to Snakemake."""
