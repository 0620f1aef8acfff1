"""Interrupts: Ctrl-C unwinds once, so that nothing is left half-written, and is told in one line, once.

The scripts that start ldcat end at once on SIGINT, as long as there is nothing to unwind; a second Ctrl-C does, too.
Where SIGINT is ignored, as for what a shell runs in the background, it stays so.
"""

from __future__ import annotations

import _thread
import os
import signal
import sys

EXIT_CODE = 130
"""As shells have it: 128 and the number of the signal."""

_LINE = b"ldcat: error: interrupted\n"


def hear() -> None:
    """From here on SIGINT raises KeyboardInterrupt, the first time."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        return
    signal.signal(signal.SIGINT, _unwind)
    sys.unraisablehook = _heard_again


def heard() -> bool:
    """Whether KeyboardInterrupt was raised."""
    return signal.getsignal(signal.SIGINT) is _end


def hear_no_more() -> None:
    """From here on SIGINT ends the process, and says nothing: it was told, or will be."""
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, lambda *_: os._exit(EXIT_CODE))


def _unwind(*_: object) -> None:
    signal.signal(signal.SIGINT, _end)
    raise KeyboardInterrupt


def _end(*_: object) -> None:
    os.write(2, _LINE)
    os._exit(EXIT_CODE)


def _heard_again(raised: sys.UnraisableHookArgs) -> None:
    """What is raised in a finalizer or a callback goes nowhere: an interrupt is raised once more behind it."""
    if issubclass(raised.exc_type, KeyboardInterrupt):
        signal.signal(signal.SIGINT, _unwind)
        _thread.interrupt_main()
    else:
        sys.__unraisablehook__(raised)
