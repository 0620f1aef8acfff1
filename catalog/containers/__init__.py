"""Firmware images as they are distributed: compressed, in disk images, in packages. Bytes in, bytes out."""
