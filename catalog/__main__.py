"""The command `ldcat`, also `python -m catalog`: what can be done at once, all else by cli/main.py."""

import _signal
import os
import sys

if __name__ == "__main__" and _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler:  # as bin/ldcat does
    _signal.signal(_signal.SIGINT, lambda *_: (os.write(2, b"ldcat: error: interrupted\n"), os._exit(130)))


def main() -> None:
    """The command `ldcat`."""
    try:
        if len(sys.argv) > 1 and sys.stdout and sys.stderr:  # the caller may have closed one
            import gc  # after the handler of SIGINT

            gc.disable()  # nothing is collected in so short a time, and to look for it takes a part of it
            answer = _at_once(sys.argv[1:])
            if answer is not None:
                _end(*answer)
            gc.enable()
        from catalog.cli.main import main as full
    except MemoryError:  # before the code that reports errors is loaded
        os.write(2, b"ldcat: error: out of memory\n")
        os._exit(13)
    full()


def _at_once(arguments: list[str]) -> tuple[str, str, int] | None:
    """What to print on stdout and stderr, and the exit code; None: take the full path.

    Lookups are on the fast or the light path; so are plain launch digests, proofs, help and the version.
    """
    command, *rest = arguments
    if arguments[-1] in ("--version", "--help", "-h"):
        from catalog.cli.light.at_once import said_at_once

        said = said_at_once(arguments)
        return None if said is None else (said, "", 0)
    if command == "lookup":
        from catalog.fast.plain_lookup import plain_lookup

        answer = plain_lookup(rest)
        if answer is None:
            from catalog.cli.light.light_lookup import light_lookup

            answer = light_lookup(rest)
        return answer
    if command == "measure":
        from catalog.cli.light.light_measure import light_measure

        return light_measure(rest)
    if command == "verify-proof":
        from catalog.cli.light.light_proof import light_proof

        return light_proof(rest)
    if command == "prove":
        from catalog.cli.light.light_prove import light_prove

        return light_prove(rest)
    return None


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
