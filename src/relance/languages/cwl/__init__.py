"""Workflows in the Common Workflow Language."""
