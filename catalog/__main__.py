"""`python -m catalog` is the command `ldcat`."""

from catalog.faces.cli import main

if __name__ == "__main__":
    main()
