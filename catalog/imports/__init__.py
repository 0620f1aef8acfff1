"""What others publish about launches, as facts: one file for each format in formats/, bytes in, frozen values out."""
