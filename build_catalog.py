"""Build the default catalog: `python build_catalog.py [SPEC.toml] [-o DIR]` is `ldcat build`."""

import sys

from catalog.faces.cli import main

if __name__ == "__main__":
    main(["build", *sys.argv[1:]])
