"""Where results live: content-addressed artifacts, runs, and sheets. Knows no node."""
