"""`python -m catalog` is the command `ldcat`."""

import _signal
import os

if __name__ == "__main__" and _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler:  # as bin/ldcat does
    _signal.signal(_signal.SIGINT, lambda *_: (os.write(2, b"ldcat: error: interrupted\n"), os._exit(130)))

from catalog.faces.quick import main

if __name__ == "__main__":
    main()
