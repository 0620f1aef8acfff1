"""`ldcat init`: make everything that a publisher needs: keys, the trust note for guests, and settings."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from catalog.cli.declare.declared import Argument, Option
from catalog.cli.help_form import Example, Group
from catalog.cli.options import OUTPUT, PassphraseOption, named_path, number_option, read_passphrase
from catalog.cli.setup.key_algorithms import Algorithm, signature_types
from catalog.cli.setup.new_origin import check_new_origin
from catalog.cli.setup.trust_checks import check_worth_signing
from catalog.errors import UsageError
from catalog.files.inputs import read_file
from catalog.log.log_folder import CHECKPOINT
from catalog.state.publisher import SETTINGS, Publisher
from catalog.terminal import render
from catalog.terminal.short_lines import first_named
from catalog.transparency.durations import DAY

if TYPE_CHECKING:  # cryptography takes long to load
    from collections.abc import Sequence

    from catalog.publish.witness_file import WitnessEntry
    from catalog.transparency.keys import VerifierKey

HELP_ORDER = 5
HELP_GROUP = Group.PLATFORM_OWNERS
EXAMPLES = (
    Example("ldcat init example.com/digests", "Make keys, trust note and settings in this folder"),
    Example("ldcat init example.com/digests --output log --roots 3", "The same in another one, with three root keys"),
)
EXIT_CODES = {1: "nothing was made: the folder was set up before"}


def command(
    origin: Annotated[
        str,
        Argument(metavar="ORIGIN", help="Name of the log, such as example.com/digests: a URL without https://."),
    ],
    out: Annotated[
        Path | None,
        Option(*OUTPUT, parser=named_path, metavar="PATH", help="Folder to set up; if not given, this one."),
    ] = None,
    roots: Annotated[int, Option(parser=number_option, metavar="N", help="Number of root keys to make.")] = 1,
    root: Annotated[
        list[Path] | None,
        Option(parser=named_path, metavar="FILE", help="Root key of somebody else: the .pub file. May be repeated."),
    ] = None,
    threshold: Annotated[
        int | None,
        Option(
            parser=number_option,
            metavar="N",
            help="How many roots have to sign a trust note; if not given, more than half, but not all of several.",
        ),
    ] = None,
    witness: Annotated[
        list[str] | None,
        Option(
            metavar="FILE|URL",
            help="Witness: a file with its verifier keys and address, or its URL. May be repeated.",
        ),
    ] = None,
    algorithm: Annotated[
        Algorithm, Option(help="Signature algorithm of the keys; hybrid makes one key of each.")
    ] = Algorithm.HYBRID,
    days: Annotated[int, Option(parser=number_option, metavar="DAYS", help="Days until the trust note expires.")] = 365,
    max_age: Annotated[
        int, Option(parser=number_option, metavar="DAYS", help="Days after which the log goes stale.")
    ] = 7,
    passphrase: PassphraseOption = None,
) -> int:
    """Make everything that a publisher needs, and say what is next.

    It prints whom to give what, and what to do next. Keys, the trust note for guests and ldcat.toml with the settings
    of publish, revoke, cosign and others are written to one folder. In a folder that was set up before nothing changes:
    what is there is explained, with exit code 1. With witnesses, more than half of them have to cosign the log; without
    any, a heartbeat key keeps it fresh.
    """
    from catalog.cli.setup.init_text import explanation
    from catalog.publish.new_log import Wishes, alone_in, finish, make_log, set_up, write_log
    from catalog.transparency.keys import SignatureType

    folder, phrase, now = out or Path(), read_passphrase(passphrase), int(time.time())
    if set_up(folder, origin) is None:
        wishes = Wishes(
            origin=origin,
            algorithms=signature_types(algorithm, SignatureType.ED25519),
            own_roots=roots,
            other_roots=_other_roots(root or ()),
            threshold=threshold,
            witnesses=_witnesses(witness or ()),
            expires=now + _seconds("--days", days),
            max_age=_seconds("--max-age", max_age),
        )
        made = make_log(wishes, now)
        check_new_origin(origin)
        check_worth_signing(made.trust, now, notes=False)
        with alone_in(folder):
            if set_up(folder, origin) is None:
                write_log(folder, made, phrase)
                render.answer(explanation(folder, _of(folder, origin), "is set up", passphrase=passphrase))
                return 0
    with alone_in(folder):
        was_interrupted = set_up(folder, origin) == "interrupted"
        finish(folder)
    found = _of(folder, origin)
    what = "is set up: an interrupted run was completed" if was_interrupted else "was set up before: nothing is changed"
    render.answer(explanation(folder, found, what, passphrase=passphrase))
    return 0 if was_interrupted else 1


def _seconds(option: str, days: int) -> int:
    """Seconds of an option that is in days; raises UsageError for less than one."""
    if days < 1:
        raise UsageError(f"{option} is less than a day", f"{option} DAYS, which is 1 or more")
    return days * DAY


def _of(folder: Path, origin: str) -> Publisher:
    """The settings in a folder. Raises UsageError if they are of another log, and as `Publisher.find`."""
    found = Publisher.find(folder)
    if found is None:
        raise UsageError(f"{folder / SETTINGS} was removed meanwhile", "run ldcat init again")
    if found.origin != origin:
        unused = "" if (found.log / CHECKPOINT).exists() else "; what was never published may be deleted"
        raise UsageError(
            f"{folder} is set up for the log {found.origin}: nothing is changed",
            f"ldcat init {origin} --output PATH sets up another folder{unused}",
        )
    return found


def _other_roots(files: Sequence[Path]) -> list[VerifierKey]:
    """Root keys from .pub files, one or more in each."""
    from catalog.publish.key_files import MAX_KEY_FILE
    from catalog.transparency.keys import VerifierKey

    found: list[VerifierKey] = []
    for path in files:
        data = read_file(path, limit=MAX_KEY_FILE, regular=True)
        if b"PRIVATE KEY" in data:
            raise UsageError(f"{path} has a private key", "a root is named by its .pub file, which ldcat keygen wrote")
        lines = data.decode("utf-8", "replace").split()
        if not lines:
            raise UsageError(
                f"{path} has no verifier key", "a root is named by its .pub file, which ldcat keygen wrote"
            )
        keys = list(map(VerifierKey.parse, lines))
        _say_several(str(path), "roots", [key.name for key in keys])
        found += keys
    return found


def _witnesses(named: Sequence[str]) -> list[WitnessEntry]:
    from catalog.publish.witness_file import MAX_WITNESS_FILE, parse_witnesses

    found: list[WitnessEntry] = []
    for one in named:
        if one.lower().startswith(("https:", "http:")):
            entries = parse_witnesses(_fetched(one, MAX_WITNESS_FILE), one, fetched=one)
            ids = [f"{key.name}+{key.key_id.hex()}" for entry in entries for key in entry.keys]
            render.note(f"{one} names the keys {', '.join(ids)}: compare them with what its operator says")
        else:
            if not one:
                raise UsageError("--witness names no file", "--witness FILE or URL")
            data = read_file(Path(one), limit=MAX_WITNESS_FILE, regular=True)
            entries = parse_witnesses(data, one)
        _say_several(one, "witnesses", [entry.name for entry in entries])
        found += entries
    names = [entry.name for entry in found]
    for name in names:
        if names.count(name) > 1:
            raise UsageError(f"the witness {name} is named twice", "its keys count once: name it once")
    return found


def _say_several(file: str, what: str, names: Sequence[str]) -> None:
    """Whoever wrote a file with several names has as many votes."""
    if len(names) > 1:
        render.note(f"{file} names {len(names)} {what}, each with a vote: {first_named(names)}")


def _fetched(url: str, at_most: int) -> bytes:
    """What is at a URL: https, or http on this machine."""
    from catalog.net.static_host import StaticHost

    folder, _, name = url.rpartition("/")
    if folder.endswith(":/"):  # a host without a path
        folder, name = url, ""
    return StaticHost.parse(folder).read(name, at_most)
