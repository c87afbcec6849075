"""What a compiled workflow of the Common Workflow Language brings along; needs the standard library only."""
