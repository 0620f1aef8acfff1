"""The packed index compared with the rows of the Parquet files."""
