"""The hint below an error, which always names a command to run next."""

from __future__ import annotations

import re

from catalog.errors import CannotLaunch, LdcatError, MalformedInput, MalformedRecord, Unreadable, VerificationFailed
from catalog.fast.match_text import printable
from catalog.terminal import render
from catalog.terminal.short_lines import shortened

_NAMES_A_COMMAND = re.compile(r"\b(?:ldcat|pipx? install|openssl|chmod|qemu-img|rm) [a-z0-9/-]|pip install '")


def next_step(failure: LdcatError, command: str) -> str:
    """The hint of an error and, unless it names one, a command to run next.

    command: the one that failed, such as `ldcat trust show`.
    """
    hint = failure.hint or _hint_of_class(failure)
    if hint and _NAMES_A_COMMAND.search(hint):
        return hint
    see = f"see {command} --help"
    most = render.MAX_LINE - len(f"ldcat: hint: ; {see}")
    return f"{shortened(printable(hint), most)}; {see}" if hint else see


def _hint_of_class(failure: LdcatError) -> str | None:
    if isinstance(failure, Unreadable):
        return "check the URL" if "://" in str(failure) else "check the path and who may use it"
    if isinstance(failure, CannotLaunch):
        return "ldcat inspect shows what a firmware can launch under"
    if isinstance(failure, MalformedRecord):
        return "correct it there"
    if isinstance(failure, MalformedInput):
        return "give a file of the form that the command reads"
    if isinstance(failure, VerificationFailed):
        return "do not use it: get it again from whoever published it"
    return None
