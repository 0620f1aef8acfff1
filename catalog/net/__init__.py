"""HTTP as a client, bounded in bytes and in time."""
