"""The engine that runs a workflow that isn't trusted: Snakemake in a sandbox, each job in its image."""
