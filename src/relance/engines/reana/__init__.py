"""REANA as its users reach it: by its REST API, in the three forms that its servers have.

Before 0.95 a server takes the expanded specification as JSON; since then, a bundle of files that it reads
itself. Tokens are asked for in the address, and since commons 0.95.0a26 as a header.
"""
