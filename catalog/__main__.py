"""`python -m catalog` is the command `ldcat`."""

from catalog.faces.quick import main

if __name__ == "__main__":
    main()
