"""Files that people and catalogs name: read bounded, written whole or not at all, no symbolic link followed."""
