"""The light path of `ldcat prove`: proofs of the rows of a local log, without typer, msgspec or dataclasses.

Every other command line, digest and error takes the full path (cli/main.py), which begins anew.
"""

from __future__ import annotations

import os
import sys

from catalog.abi.digest import LaunchDigest
from catalog.cli.light.usual_arguments import QUIET, usual_arguments
from catalog.errors import LdcatError
from catalog.fast.match import known_technologies
from catalog.fast.match_text import printable
from catalog.fast.names import FalseNames
from catalog.fast.packed import PackedCatalog, light_sha256
from catalog.fast.plain_lookup import found_in, path_text
from catalog.fast.verity import DamagedBlock
from catalog.files.plain_json import NotPlain
from catalog.log.plain_log import PlainLog
from catalog.prove.plain_forms import parse_release
from catalog.prove.prove import Prover

TYPE_CHECKING = False
if TYPE_CHECKING:
    from catalog.prove.proof_bundle import ProofBundle

_FLAGS = {**QUIET, "--tlog-proof": "tlog-proof"}
_OTHERWISE = ("LDCAT_QUIET",)
"""Environment variables that need the full path."""

_COMMAND = f"{__file__.rpartition('/light/')[0]}/commands/prove.py"
"""Which a slim install does not have."""


def light_prove(arguments: list[str]) -> tuple[str, str, int] | None:
    """What to print on stdout and stderr, and the exit code; None: take the full path."""
    given = _given(arguments)
    if given is None or any(os.environ.get(name) for name in _OTHERWISE) or not os.path.exists(_COMMAND):  # noqa: PTH110
        return None
    try:
        bundles = _bundles(LaunchDigest.parse(given["digest"]), path_text(given["log"]))
    except (NotPlain, LdcatError, OSError, ValueError, DamagedBlock, FalseNames):  # which the full path reports
        return None
    if not bundles:
        return None
    shown, count = [bytes(bundle) for bundle in bundles], len(bundles)
    kind = "one bundle a line"
    if "tlog-proof" in given:
        shown, kind = [bytes(bundles[0].tlog_proof)], "this is a proof of the first"
    text = b"".join(shown).decode()
    if sys.stdout.isatty():
        text = "".join(f"{printable(line)}\n" for line in text.removesuffix("\n").split("\n"))
    note = f"ldcat: note: {count} records of the log have this digest: {kind}\n"
    return text, note if count > 1 and "quiet" not in given else "", 0


def _bundles(digest: LaunchDigest, folder: str) -> list[ProofBundle]:
    """The proofs of a digest in the log of a folder. Raises NotPlain if the full path may find others."""
    prover = Prover(PlainLog(folder), parse_release)
    release = prover.release
    packed = PackedCatalog(release.files, light_sha256(), release.manifest_sha256, technologies=known_technologies())
    try:
        matches = None if packed.unknown else found_in(packed, digest.value)
    finally:
        packed.close()
    if matches is None:
        raise NotPlain
    return prover.prove_rows(match.row for match in matches if match.listed)


def _given(arguments: list[str]) -> dict[str, str] | None:
    """`digest`, `log`, and flags; None if there is more, or something is missing."""
    found = usual_arguments(arguments, {"--catalog": "log"}, _FLAGS, "digest")
    if not found or not {"digest", "log"} <= found.keys() or found["log"].startswith("//"):  # which pathlib keeps
        return None
    is_url = found["log"].lower().startswith(("https:", "http:"))  # as in verify/location.py
    return None if is_url else found
