"""Checking a store for damage, and mending what can be mended: what is lost becomes a miss."""
