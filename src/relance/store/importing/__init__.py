"""Images taken into a store: from registries, engines, layouts, archives and SIF files."""
