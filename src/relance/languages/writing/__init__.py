"""Writes workflows in the languages of the field."""
