"""No step uses this."""
