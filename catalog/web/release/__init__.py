"""The release that is served: opened, replaced by a newer one, and its prepared answers."""
