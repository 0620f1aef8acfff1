"""IGVM files: measured under a loader, and inspected."""
