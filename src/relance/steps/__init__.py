"""The step store: a job whose result is known is restored, not run; docs/reuse.md tells how."""
