"""The kinds of nodes, one a file."""
