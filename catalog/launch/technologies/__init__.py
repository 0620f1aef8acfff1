"""Technologies, one file each; each file defines TECHNOLOGY and imports no other technology."""
