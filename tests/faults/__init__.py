"""Kills, faults that the system makes, and full disks: what was acknowledged stays, whatever happens."""
