"""A transparency log as C2SP and RFC 6962 specify it. Nothing here knows what is logged."""
