"""Interrupts: the first Ctrl-C unwinds, so that nothing is left half-written, and prints one line, once.

Before there is anything to unwind, SIGINT ends ldcat at once; a second Ctrl-C does too. If SIGINT is ignored, as in a
background job of a shell, it stays ignored.

Nothing is raised while a module is loaded, or a type is made ready for decoding: compiled libraries call Python code
then, and some end the process if that raises. The first Ctrl-C unwinds as soon as this is over.
"""

from __future__ import annotations

import _thread
import os
import signal
import sys
from types import FrameType

EXIT_CODE = 130
"""The convention of shells: 128 plus the number of the signal."""

_LINE = b"ldcat: error: interrupted\n"

_MOMENT = 0.01
"""Seconds after which it is tried again to raise."""

_IMPORT = "<frozen importlib._bootstrap>"
_DECODING = ("catalog.wire", "msgspec._utils")
"""Modules whose functions are called while a type is made ready, which happens when the first record of it is read."""


def install_sigint_handler() -> None:
    """Install a handler by which the first SIGINT raises KeyboardInterrupt."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        return
    signal.signal(signal.SIGINT, _unwind)
    sys.unraisablehook = _reraise_in_main


def raise_if_interrupted() -> None:
    """Raise KeyboardInterrupt after an interrupt, whatever a library made of it, and also if it is not raised yet."""
    if signal.getsignal(signal.SIGINT) is _end:
        signal.setitimer(signal.ITIMER_REAL, 0)
        raise KeyboardInterrupt


def exit_silently_on_sigint() -> None:
    """From now on SIGINT ends the process and prints nothing, because the caller reports the interrupt."""
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, lambda *_: os._exit(EXIT_CODE))


def _unwind(number: int, frame: FrameType | None) -> None:
    signal.signal(signal.SIGINT, _end)
    _raise_when_possible(number, frame)


def _raise_when_possible(_number: int, frame: FrameType | None) -> None:
    """Raise KeyboardInterrupt, or be called again a moment later. frame: what is running."""
    if not _is_inside_library(frame):
        raise KeyboardInterrupt
    signal.signal(signal.SIGALRM, _raise_when_possible)
    signal.setitimer(signal.ITIMER_REAL, _MOMENT)


def _is_inside_library(frame: FrameType | None) -> bool:
    """Whether compiled code may be running that does not expect Python code to raise."""
    while frame:
        if frame.f_code.co_filename == _IMPORT or frame.f_globals.get("__name__") in _DECODING:
            return True
        frame = frame.f_back
    return False


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
