"""Processes killed at one of their file system calls: independent of time, and so that every call is covered."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

_CALLS = frozenset(
    {"open", "write", "pwrite", "fsync", "truncate", "ftruncate", "rename", "replace", "link", "symlink", "chmod"}
    | {"fchmod", "mkdir", "rmdir", "remove", "unlink", "flock"}
)
"""Functions in C that change files, by their names."""


def killed_at(call: int, work: Callable[[], object]) -> bool:
    """Whether `work`, in its own process, reached its call with this number, from 0, and was killed before it."""
    child = os.fork()
    if not child:
        _die_at(call)
        try:
            work()
        except BaseException:
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return True
    assert os.WEXITSTATUS(status) == 0, "the work failed before it was killed"
    return False


def _die_at(call: int) -> None:
    left = call

    def count(frame: FrameType, event: str, argument: Any) -> None:
        nonlocal left
        if event == "c_call" and getattr(argument, "__name__", "") in _CALLS:
            left -= 1
            if left < 0:
                os.kill(os.getpid(), signal.SIGKILL)

    threading.setprofile(count)
    sys.setprofile(count)
