"""`ldcat trust`: make, sign, show and replace trust notes."""

from __future__ import annotations

import time
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from catalog.cli.help_form import Example, Group
from catalog.cli.options import (
    KEY,
    PassphraseOption,
    QuietOption,
    TableFormatOption,
    named_path,
    number_option,
    read_passphrase,
)
from catalog.cli.setup.trust_checks import check_worth_signing
from catalog.cli.setup.trust_view import print_policy, trust_facts, trust_record
from catalog.cli.trust_files import note_bytes, trust_in, unsigned_trust_in
from catalog.errors import UnknownName, UsageError
from catalog.files.inputs import read_file
from catalog.terminal import render
from catalog.terminal.render import Format
from catalog.transparency.durations import DAY
from catalog.values import replace

if TYPE_CHECKING:  # cryptography takes long to load
    from catalog.transparency.keys import VerifierKey
    from catalog.transparency.trust import Trust

HELP_ORDER = 210
HELP_GROUP = Group.PLATFORM_OWNERS
EXAMPLES = {
    "": (Example("ldcat trust show trust.note", "Show whom a trust note trusts"),),
    "init": (
        Example(
            'ldcat trust init --policy policy.txt --root a="$(cat keys/root-1.key.pub)" '
            '--root b="$(cat keys/root-2.key.pub)" '
            "--threshold 1 > trust.txt",
            "Write a trust note with two roots, to be signed",
        ),
    ),
    "rotate": (
        Example("ldcat trust rotate trust.note --days 365 > next.txt", "Write the next version, valid for a year"),
    ),
    "sign": (
        Example("ldcat trust sign trust.txt --key keys/root-1.key > trust.note", "Sign a trust note with a root key"),
    ),
    "show": (
        Example("ldcat trust show trust.note", "Show keys, policy and expiry"),
        Example(
            "ldcat trust show trust.note --policy --algorithm ed25519 > policy", "Write the policy for other tools"
        ),
    ),
    "check": (
        Example("ldcat trust check trust.note next.note", "Verify that the roots of the old note accept the new one"),
    ),
}
EXIT_CODES = {
    "show": {4: "verification failed", 6: "not signed by enough roots"},
    "check": {
        0: "it follows",
        4: "verification failed",
        6: "not signed by enough roots",
        9: "it is older",
    },
}

app = typer.Typer(help="Trust notes: which logs and witnesses to trust, signed by root keys.")


class LogSignatures(StrEnum):
    """Which signatures a checkpoint needs of a log that has several keys."""

    ANY = "any"
    ALL = "all"


class PolicyAlgorithm(StrEnum):
    """Algorithms to which a policy can be narrowed."""

    ED25519 = "ed25519"


NoteArgument = Annotated[str, typer.Argument(metavar="NOTE|-", help="Trust note.")]


@app.command("init")
def init(
    policy: Annotated[
        Path,
        typer.Option(parser=named_path, metavar="FILE", help="C2SP tlog-policy: log, witness, group and quorum lines."),
    ],
    root: Annotated[list[str], typer.Option(metavar="ROLE=VKEY", help="Root key and its role. Repeat for each root.")],
    threshold: Annotated[
        int, typer.Option(parser=number_option, metavar="N", help="How many root keys have to sign the next version.")
    ],
    version: Annotated[
        int, typer.Option(parser=number_option, metavar="N", help="One more than that of the note before.")
    ] = 1,
    days: Annotated[int, typer.Option(parser=number_option, metavar="DAYS", help="Days until the note expires.")] = 365,
    max_age: Annotated[
        int, typer.Option(parser=number_option, metavar="DAYS", help="Days that a checkpoint stays fresh.")
    ] = 7,
    log_signatures: Annotated[
        LogSignatures, typer.Option(help="Whether any key of a log is enough, or all that the policy names must sign.")
    ] = LogSignatures.ANY,
    quiet: QuietOption = False,
) -> int:
    """Print the text of a new trust note, to be signed with `ldcat trust sign`.

    A threshold of all of several root keys is refused: after the loss of one key no next version could be signed. So is
    a policy that cannot be met, or that names a key of the log as a witness. A policy that one witness alone can meet
    is a warning.
    """
    from catalog.transparency.policy import Policy
    from catalog.transparency.trust import Trust

    text = _policy(policy)
    trust = Trust(
        version=version,
        expires=_after(days),
        max_age=max_age * DAY,
        threshold=threshold,
        roots=_roots(root),
        policy=Policy.parse(text.encode("utf-8", "surrogateescape")),
        policy_text=text,
        all_log_signatures=log_signatures is LogSignatures.ALL,
    )
    return _print(trust, quiet=quiet)


@app.command("rotate")
def rotate(
    old: NoteArgument,
    policy: Annotated[
        Path | None,
        typer.Option(parser=named_path, metavar="FILE", help="C2SP tlog-policy that replaces the old one."),
    ] = None,
    root: Annotated[
        list[str] | None,
        typer.Option(metavar="ROLE=VKEY", help="Another root key, or a new key for a role. May be repeated."),
    ] = None,
    drop: Annotated[
        list[str] | None, typer.Option(metavar="ROLE", help="Role that is no root any more. May be repeated.")
    ] = None,
    threshold: Annotated[
        int | None,
        typer.Option(
            parser=number_option, metavar="N", help="How many root keys have to sign the version after this one."
        ),
    ] = None,
    days: Annotated[
        int | None, typer.Option(parser=number_option, metavar="DAYS", help="Days from now until the note expires.")
    ] = None,
    max_age: Annotated[
        int | None, typer.Option(parser=number_option, metavar="DAYS", help="Days that a checkpoint stays fresh.")
    ] = None,
    log_signatures: Annotated[
        LogSignatures | None,
        typer.Option(help="Whether any key of a log is enough, or all that the policy names must sign."),
    ] = None,
    quiet: QuietOption = False,
) -> int:
    """Print the text of the next version of a trust note.

    What is not given stays as it is, the expiry included. Enough roots of the old note and enough of the new one have
    to sign the text with `ldcat trust sign`.
    """
    from catalog.transparency.policy import Policy

    before = trust_in(old)
    for role in drop or ():
        if role not in before.roots:
            raise UnknownName("role", role, before.roots)
    roots = {role: key for role, key in before.roots.items() if role not in (drop or ())}
    text = before.policy_text if policy is None else _policy(policy)
    trust = replace(
        before,
        version=before.version + 1,
        expires=before.expires if days is None else _after(days),
        max_age=before.max_age if max_age is None else max_age * DAY,
        threshold=before.threshold if threshold is None else threshold,
        roots=roots | _roots(root or ()),
        policy=Policy.parse(text.encode("utf-8", "surrogateescape")),
        policy_text=text,
        all_log_signatures=before.all_log_signatures if log_signatures is None else log_signatures is LogSignatures.ALL,
    )
    return _print(trust, quiet=quiet)


@app.command("sign")
def sign(
    note: Annotated[str, typer.Argument(metavar="TEXT|NOTE|-", help="Text of `ldcat trust init`, or a signed note.")],
    key: Annotated[Path, KEY],
    passphrase: PassphraseOption = None,
) -> int:
    """Print a trust note with one more signature."""
    from catalog.publish.key_files import read_keys
    from catalog.transparency.trust import sign_trust

    found = unsigned_trust_in(note)
    signers = [pair.signer for pair in read_keys(key, read_passphrase(passphrase))]
    render.exact(bytes(sign_trust(found, signers, int(time.time()))).decode("utf-8", "surrogateescape").rstrip("\n"))
    return 0


@app.command("show")
def show(
    note: NoteArgument,
    policy: Annotated[bool, typer.Option("--policy", help="Print its C2SP tlog-policy, for other tools.")] = False,
    algorithm: Annotated[
        PolicyAlgorithm | None,
        typer.Option(help="With --policy: leave out the keys of other algorithms, which released Go tools refuse."),
    ] = None,
    output: TableFormatOption = Format.TABLE,
) -> int:
    """Show whom a trust note trusts, and until when. Enough of its own root keys must have signed it.

    With --policy --algorithm ed25519 the policy accepts the same Ed25519 cosignatures as that of the note, and has one
    log line. It is refused if the quorum, or `log-signatures all`, demands an ML-DSA-44 signature.
    """
    if policy and output is Format.JSON:
        raise UsageError("--policy prints a policy, which has no format json", "leave out --policy or --format")
    if algorithm and not policy:
        raise UsageError("--algorithm is for a policy", "ldcat trust show NOTE --policy --algorithm ed25519")
    trust = trust_in(note)
    if policy:
        print_policy(trust, ed25519_only=algorithm is PolicyAlgorithm.ED25519)
    elif output is Format.JSON:
        render.json_document(trust_record(trust))
    else:
        render.facts(trust_facts(trust), title=note)
    return 0


@app.command("check")
def check(old: NoteArgument, new: Annotated[str, typer.Argument(metavar="NOTE", help="Its next version.")]) -> int:
    """Verify that a trust note follows another: the next version, signed by enough roots of both."""
    from catalog.transparency.trust import follow, parse_signed

    before = trust_in(old)
    after = follow(before, parse_signed(note_bytes(new)))
    render.line(f"version {after.version} follows version {before.version}")
    return 0


def _policy(path: Path) -> str:
    """The text of a policy; bytes that are not UTF-8 become surrogates. Its last line ends with a newline."""
    from catalog.transparency.note import MAX_NOTE

    text = read_file(path, limit=MAX_NOTE, regular=True).decode("utf-8", "surrogateescape")
    return text if text.endswith("\n") else f"{text}\n"


def _roots(options: Sequence[str]) -> dict[str, VerifierKey]:
    """Root keys by role; raises UsageError if two have the same role."""
    from catalog.transparency.keys import VerifierKey

    roots = dict(map(_root, options))
    if len(roots) < len(options):
        raise UsageError("two root keys have the same role")
    return {role: VerifierKey.parse(key) for role, key in roots.items()}


def _after(days: int) -> int:
    return int(time.time()) + days * DAY


def _print(trust: Trust, *, quiet: bool) -> int:
    """Print the text to sign; raises UsageError for a note that should not be signed, MalformedInput."""
    check_worth_signing(trust, int(time.time()), notes=not quiet)
    render.exact(str(trust.parse(str(trust))).rstrip("\n"))
    return 0


def _root(option: str) -> tuple[str, str]:
    role, equals, key = option.partition("=")
    if not equals or not role or " " in role:
        raise UsageError(
            f"{option!r} is not a root key",
            "--root ROLE=VKEY, with the verifier key that ldcat keygen --for root prints",
        )
    return role, key
