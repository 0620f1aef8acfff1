"""Fuzzing of every input parser: with atheris by `make fuzz`, and briefly by `make test`."""
