"""Runs a workflow in yadage itself, which has an environment of its own."""
