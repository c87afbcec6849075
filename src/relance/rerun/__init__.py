"""Capsules run again: from what they hold alone, in a sandbox."""
