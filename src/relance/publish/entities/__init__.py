"""What an RO-Crate tells of a capsule, entity by entity."""
