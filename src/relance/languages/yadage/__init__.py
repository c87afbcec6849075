"""Workflows of yadage."""
