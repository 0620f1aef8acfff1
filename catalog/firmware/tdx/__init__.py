"""Images of Intel TDX: their TDVF metadata, and the digests of a TD that follow from it."""
