"""The command `ldcat`, also as `python -m catalog`: a plain lookup on the fast path, everything else in cli/main.py."""

import _signal
import os
import sys

if __name__ == "__main__" and _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler:  # as bin/ldcat does
    _signal.signal(_signal.SIGINT, lambda *_: (os.write(2, b"ldcat: error: interrupted\n"), os._exit(130)))

from catalog.fast.plain_lookup import plain_lookup


def main() -> None:
    """The command `ldcat`."""
    try:
        if sys.argv[1:2] == ["lookup"]:
            answer = plain_lookup(sys.argv[2:])
            if answer is not None:
                _end(*answer)
        from catalog.cli.main import main as full
    except MemoryError:  # before there is anyone to tell it
        os.write(2, b"ldcat: error: memory is out\n")
        os._exit(13)
    full()


def _end(out: str, note: str, code: int) -> None:
    """Print, and end without taking Python apart; what cannot be written is dealt with as everywhere."""
    if sys.stdout is None or sys.stderr is None:
        return
    try:
        data = out.encode(sys.stdout.encoding, "backslashreplace")
        while data:  # where Python is told not to buffer, all of it is not always written at once
            data = data[sys.stdout.buffer.write(data) :]
        sys.stdout.flush()
    except OSError as failure:
        from catalog.cli.main import cannot_write

        code = cannot_write(failure)
    try:
        sys.stderr.write(note)
        sys.stderr.flush()
    except OSError:  # nobody can be told, and the exit code still counts
        pass
    os._exit(code)


if __name__ == "__main__":
    main()
