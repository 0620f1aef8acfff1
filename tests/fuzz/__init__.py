"""Every parser of input fuzzed: under atheris with `make fuzz`, and shortly with `make test`."""
