"""A product beside its reference: bytes, then content, then content in any order, then what is declared.

files.product("fit.json", kept / "fit.json", made / "fit.json", rules)   # one file
folders.compare(folders.pairs(kept, made, tolerances), jobs=4)           # all of two folders
"""
