"""The house rules, held by tests: sizes, names, fences, the public face, generated files."""
