"""A transparency log by the texts of C2SP and RFC 6962. Nothing here knows what is logged."""
