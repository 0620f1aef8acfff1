"""One file a command: options in, query or release called, the answer rendered."""
