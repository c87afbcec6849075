"""Whether a capsule is whole, and whether it can be run again to the same end."""
