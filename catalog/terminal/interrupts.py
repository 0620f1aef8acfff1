"""Interrupts: the first Ctrl-C unwinds, so that nothing is left half-written, and prints one line, once.

Before there is anything to unwind, SIGINT ends ldcat at once; a second Ctrl-C does too. If SIGINT is ignored, as in a
background job of a shell, it stays ignored.
"""

from __future__ import annotations

import _thread
import os
import signal
import sys

EXIT_CODE = 130
"""The convention of shells: 128 plus the number of the signal."""

_LINE = b"ldcat: error: interrupted\n"


def install_sigint_handler() -> None:
    """Install a handler by which the first SIGINT raises KeyboardInterrupt."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        return
    signal.signal(signal.SIGINT, _unwind)
    sys.unraisablehook = _reraise_in_main


def was_interrupted() -> bool:
    """Whether KeyboardInterrupt was raised."""
    return signal.getsignal(signal.SIGINT) is _end


def exit_silently_on_sigint() -> None:
    """From now on SIGINT ends the process and prints nothing, because the caller reports the interrupt."""
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, lambda *_: os._exit(EXIT_CODE))


def _unwind(*_: object) -> None:
    signal.signal(signal.SIGINT, _end)
    raise KeyboardInterrupt


def _end(*_: object) -> None:
    os.write(2, _LINE)
    os._exit(EXIT_CODE)


def _reraise_in_main(raised: sys.UnraisableHookArgs) -> None:
    """Python drops an exception that a finalizer or callback raises; a KeyboardInterrupt is raised again afterwards.

    By a thread, which runs when this function has returned: here it would be dropped once more, and printed.
    """
    if issubclass(raised.exc_type, KeyboardInterrupt):
        signal.signal(signal.SIGINT, _unwind)
        _thread.start_new_thread(_thread.interrupt_main, ())
    else:
        sys.__unraisablehook__(raised)
