"""Garbage collection: planned, printed, then executed."""
