"""Capture: an analysis, a recorded run of it and its specification become a capsule."""
