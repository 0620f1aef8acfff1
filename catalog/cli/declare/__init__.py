"""How commands declare arguments and options, and a parser of command lines that needs no library."""
