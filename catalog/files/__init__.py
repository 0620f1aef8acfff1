"""Files: read with a limit, written whole or not at all; below a catalog or log no symbolic link is followed."""
