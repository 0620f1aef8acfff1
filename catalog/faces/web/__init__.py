"""Web: the pages of a catalog, as a folder that any host serves, and as a service."""
