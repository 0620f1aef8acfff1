"""Build the default catalog: `python build_catalog.py [SPEC.toml] [-o DIR]` is `ldcat build`."""

import _signal
import os
import sys

if __name__ == "__main__" and _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler:  # as bin/ldcat does
    _signal.signal(_signal.SIGINT, lambda *_: (os.write(2, b"ldcat: error: interrupted\n"), os._exit(130)))

from catalog.cli.main import main

if __name__ == "__main__":
    main(["build", *sys.argv[1:]])
