"""The command `ldcat`, also `python -m catalog`: lookups on the fast or the light path, all else by cli/main.py."""

import _signal
import os
import sys

if __name__ == "__main__" and _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler:  # as bin/ldcat does
    _signal.signal(_signal.SIGINT, lambda *_: (os.write(2, b"ldcat: error: interrupted\n"), os._exit(130)))

from catalog.fast.plain_lookup import plain_lookup


def main() -> None:
    """The command `ldcat`."""
    try:
        if sys.argv[1:2] == ["lookup"] and sys.stdout and sys.stderr:  # the caller may have closed one
            answer = plain_lookup(sys.argv[2:])
            if answer is None:
                from catalog.cli.light_lookup import light_lookup

                answer = light_lookup(sys.argv[2:])
            if answer is not None:
                _end(*answer)
        from catalog.cli.main import main as full
    except MemoryError:  # before the code that reports errors is loaded
        os.write(2, b"ldcat: error: out of memory\n")
        os._exit(13)
    full()


def _end(out: str, note: str, code: int) -> None:
    """Print, and exit without Python's shutdown, which takes long; errors of writing are handled by `cannot_write`."""
    try:
        data = out.encode(sys.stdout.encoding, "backslashreplace")
        while data:  # with PYTHONUNBUFFERED a write may be partial
            data = data[sys.stdout.buffer.write(data) :]
        sys.stdout.flush()
    except OSError as failure:
        from catalog.cli.main import cannot_write

        code = cannot_write(failure)
    try:
        sys.stderr.write(note)
        sys.stderr.flush()
    except OSError:  # nothing can be reported but the exit code
        pass
    os._exit(code)


if __name__ == "__main__":
    main()
