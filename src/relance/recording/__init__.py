"""Records of runs: what each job was, read and wrote, from events, graph and Snakemake's metadata."""
