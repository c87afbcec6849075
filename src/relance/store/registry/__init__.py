"""Registries: references, login, pulling and pushing by the OCI distribution specification 1.1."""
