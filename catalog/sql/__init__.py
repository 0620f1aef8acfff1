"""SQL over a catalog: its views in DuckDB, and queries in which a hash may be written in any spelling."""
