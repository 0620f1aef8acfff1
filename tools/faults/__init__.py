"""Faults of the disk at every call of every command that writes: `make faults`."""
