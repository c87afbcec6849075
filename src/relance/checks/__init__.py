"""Checks of what is about to be kept or shared."""
