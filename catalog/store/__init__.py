"""The files of a catalog, read and verified: manifest, Parquet, packed index, components, ranges."""
