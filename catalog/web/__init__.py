"""Web: the HTTP service, and the HTTP server of a witness."""
