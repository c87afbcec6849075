"""Capsules in the forms that archives and repositories take."""
