"""One file a technology; each defines TECHNOLOGY and imports no other."""
