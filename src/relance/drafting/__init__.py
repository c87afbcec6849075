"""The first draft of a specification, from what an analysis says of itself."""
