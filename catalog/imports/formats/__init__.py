"""Formats of documents, one file each; each file defines FORM and imports no other format."""
