"""Reads the small Parquet files of a catalog without pyarrow, for a slim install."""
