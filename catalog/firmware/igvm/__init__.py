"""IGVM files: what they hold, read strictly, and what loaders measure of it."""
