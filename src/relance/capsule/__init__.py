"""Capsules: all that an analysis needs to run again, as one OCI artifact."""
