"""Exports: launch digests of a catalog in the formats of the systems that check them; one file a format in formats/."""
