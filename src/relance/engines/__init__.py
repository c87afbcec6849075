"""Engines: what runs a workflow, here or elsewhere."""
