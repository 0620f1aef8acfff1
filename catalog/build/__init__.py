"""Build: from a spec to the files of a catalog."""
