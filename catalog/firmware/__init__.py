"""From images to facts: what a launch needs of an OVMF image, and nothing else. Bytes in, frozen values out."""
