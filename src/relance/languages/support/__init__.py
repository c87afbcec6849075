"""What a compiled workflow brings along: it decides at run time which jobs there are and what they do.

These modules load nothing but the standard library and each other (and PyYAML where a file in YAML is
published), for a compiled analysis runs without relance. `relance.languages.snakefile` copies them.
"""
