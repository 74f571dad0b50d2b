"""The backends' test suite of `daggr.testing`, run over every backend there is."""
