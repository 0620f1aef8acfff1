"""What can be asked of a catalog: read only."""
