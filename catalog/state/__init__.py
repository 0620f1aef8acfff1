"""What this machine remembers between two commands: catalogs it built, logs it saw, checkpoints it signed."""
