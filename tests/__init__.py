"""The tests; a package, so that folders may hold files of the same name and share `tests.servers`."""
