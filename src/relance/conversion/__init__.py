"""Workflows of other languages made into analyses: a Snakefile, the files given, a drafted specification."""
