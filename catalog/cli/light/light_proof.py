"""The light path of `ldcat verify-proof`: a proof that this machine has verified before.

Whatever is not remembered, and every other command line, takes the full path (cli/main.py).
"""

from __future__ import annotations

import os
import sys
from time import time

from catalog.fast.known_proof import KnownProof
from catalog.fast.match_text import printable
from catalog.fast.published import read_bounded
from catalog.fast.xdg import state_home
from catalog.version import __version__

_OPTIONS = {"--trust": "trust", "--report": "report", "--format": "format", "-f": "format"}
"""What each option with a value is called here."""

_OTHERWISE = ("LDCAT_FORMAT", "LDCAT_QUIET", "LDCAT_TRUST")
"""Environment variables that need the full path."""


def light_proof(arguments: list[str]) -> tuple[str, str, int] | None:
    """What to print on stdout and stderr, and the exit code; None: take the full path."""
    given, home = _given(arguments), state_home()
    if given is None or home is None or any(os.environ.get(name) for name in _OTHERWISE):
        return None
    proof, trust = read_bounded(given["file"]), read_bounded(given["trust"])
    if proof is None or trust is None:
        return None
    parts = proof_parts(given["file"], proof, trust, given.get("report"))
    try:
        said = KnownProof(home, parts).said(time()) if parts else None
    except OSError:  # others can write the state folder, which the full path reports
        return None
    if said is None:
        return None
    table, document, notes = said
    if given.get("format", "table") == "table":
        return table, "", 0
    on_terminal = "".join(f"{printable(line)}\n" for line in document.splitlines()) if sys.stdout.isatty() else document
    return on_terminal, "" if "quiet" in given else notes, 0


def proof_parts(file: str, proof: bytes, trust: bytes, about: str | None) -> list[bytes] | None:
    """Everything that a verdict and its words depend on, besides what was seen; None if that is not all.

    file: name of the proof, as the command line has it. proof, trust: bytes, as they were read to be verified. about: a
    launch digest; for evidence in a file nothing is remembered, because its next report is another one.
    """
    from catalog.evidence.digest_line import digest_of_line

    if about is not None and not digest_of_line(about):
        return None
    names = [name.encode("utf-8", "surrogateescape") for name in (__version__, file, about or "")]
    return [*names, proof, trust]


def _given(arguments: list[str]) -> dict[str, str] | None:
    """The options by what they are called here, `quiet`, and `file`; None if there are others, or one twice."""
    found: dict[str, str] = {}
    rest = iter(arguments)
    for argument in rest:
        name, equals, value = argument.partition("=") if argument.startswith("--") else (argument, "", "")
        if name in _OPTIONS:
            key, value = _OPTIONS[name], value if equals else next(rest, "")
        elif argument in ("--quiet", "-q"):
            key, value = "quiet", "yes"
        else:
            key, value = "file", argument
        if key in found or not value or value.startswith("-"):
            return None
        found[key] = value
    is_known = {"file", "trust"} <= found.keys() and found.get("format", "table") in ("table", "json")
    return found if is_known else None
