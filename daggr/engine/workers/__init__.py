"""Where user code is executed."""
