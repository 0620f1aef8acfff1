"""`ldcat trust`: trust notes: whom to believe, made, signed, shown, and followed by the next."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from catalog.errors import UsageError
from catalog.faces import render
from catalog.faces.options import PassphraseOption, TableFormatOption, passphrase_of, require
from catalog.faces.render import Format
from catalog.query.evidence_files import read_bounded
from catalog.release.inputs import read_text

DAY = 86400
MAX_TRUST = 1 << 20

app = typer.Typer(help="Trust notes: which logs and witnesses to believe, signed by root keys.", no_args_is_help=True)

NoteArgument = Annotated[str, typer.Argument(metavar="NOTE|-", help="Trust note.")]


@app.command("init")
def init(
    policy: Annotated[Path, typer.Option(metavar="FILE", help="C2SP tlog-policy: log, witness, group, quorum.")],
    root: Annotated[list[str], typer.Option(metavar="ROLE=VKEY", help="Root key and whose it is; several.")],
    threshold: Annotated[int, typer.Option(metavar="N", help="Root keys that have to sign the next version.")],
    version: Annotated[int, typer.Option(metavar="N", help="One more than that of the note before.")] = 1,
    days: Annotated[int, typer.Option(metavar="DAYS", help="Days until the note expires.")] = 365,
    max_age: Annotated[int, typer.Option(metavar="DAYS", help="Days that a checkpoint stays fresh.")] = 7,
) -> int:
    """Print the text of a trust note, to be signed with `ldcat trust sign`.

    A threshold of all root keys is refused: the loss of one would be the end of the note.
    """
    from catalog.transparency.keys import VerifierKey
    from catalog.transparency.policy import Policy
    from catalog.transparency.trust import Trust

    roots = dict(_root(said) for said in root)
    if len(roots) < len(root):
        raise UsageError("two root keys have one role")
    if 1 < threshold == len(roots):
        raise UsageError(f"a threshold of all {threshold} root keys cannot be met once one is lost", "name more keys")
    text = read_text(policy)
    made = Trust(
        version=version,
        expires=int(time.time()) + days * DAY,
        max_age=max_age * DAY,
        threshold=threshold,
        roots={role: VerifierKey.parse(key) for role, key in roots.items()},
        policy=Policy.parse(text.encode()),
        policy_text=text,
    )
    render.line(str(Trust.parse(str(made))).rstrip("\n"))
    return 0


@app.command("sign")
def sign(
    note: Annotated[str, typer.Argument(metavar="TEXT|NOTE|-", help="Text of `ldcat trust init`, or a signed note.")],
    key: Annotated[Path, typer.Option(metavar="FILE", envvar="LDCAT_KEY", help="Private key of a root.")],
    passphrase: PassphraseOption = None,
) -> int:
    """Print the note with one more signature."""
    from catalog.release.key_files import read_keys
    from catalog.transparency.trust import read_unsigned, sign_trust

    found = read_unsigned(read_bounded(note, sys.stdin.buffer, MAX_TRUST))
    signers = [pair.signer for pair in read_keys(key, passphrase_of(passphrase))]
    render.line(bytes(sign_trust(found, signers, int(time.time()))).decode("utf-8", "surrogateescape").rstrip("\n"))
    return 0


@app.command("show")
def show(note: NoteArgument, output: TableFormatOption = Format.TABLE) -> int:
    """Say whom a trust note believes, and until when; it has to be signed by enough of its own root keys."""
    from catalog.query.verify_proof import read_trust

    require(output, Format.TABLE, Format.JSON)
    trust = read_trust(read_bounded(note, sys.stdin.buffer, MAX_TRUST))
    facts: dict[str, object] = {
        "version": trust.version,
        "expires": trust.expires,
        "max_age": trust.max_age,
        "threshold": trust.threshold,
        "roots": {role: str(key) for role, key in trust.roots.items()},
        "logs": [str(key) for key in trust.policy.logs],
        "witnesses": {name: str(key) for name, key in trust.policy.witnesses.items()},
        "quorum": trust.policy.quorum,
    }
    if output is Format.JSON:
        render.json_document(facts)
    else:
        render.facts(facts.items(), title=note)
    return 0


@app.command("check")
def check(old: NoteArgument, new: Annotated[str, typer.Argument(metavar="NOTE", help="The version after it.")]) -> int:
    """Whether a trust note follows another: the next version, signed by enough roots of both."""
    from catalog.query.verify_proof import read_trust
    from catalog.transparency.note import Note
    from catalog.transparency.trust import follow

    before = read_trust(read_bounded(old, sys.stdin.buffer, MAX_TRUST))
    after = follow(before, Note.parse(read_bounded(new, sys.stdin.buffer, MAX_TRUST)))
    render.line(f"version {after.version} follows version {before.version}")
    return 0


def _root(said: str) -> tuple[str, str]:
    role, equals, key = said.partition("=")
    if not equals or not role or " " in role:
        raise UsageError(f"{said!r} is no root key", "--root ROLE=VKEY, as ldcat keygen --for root prints it")
    return role, key
