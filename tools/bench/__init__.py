"""How fast ldcat is, what it is compared with, and how both grow: `make bench`, which writes docs/benchmarks.md."""
