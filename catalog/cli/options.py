"""Options that several commands share, and how their texts are parsed."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from catalog.abi.vcpu import VcpuSignature
from catalog.cli.declare.declared import Argument, BadValue, Option
from catalog.errors import UsageError
from catalog.files.inputs import read_file
from catalog.rows import numbers
from catalog.terminal.render import Format
from catalog.transparency.durations import parse_duration
from catalog.verify.location import CatalogLocation, parse_location


def number_option(text: str) -> int:
    """Parser of an option: a number in decimal, 0x or 0b. Raises BadValue."""
    try:
        return numbers.parse_number(text)
    except UsageError as error:
        raise BadValue(f"{error} ({error.hint})") from error


def duration_option(text: str) -> int:
    """Parser of an option: a number of seconds from text such as 12h. Raises BadValue."""
    try:
        return parse_duration(text)
    except UsageError as error:
        raise BadValue(f"{error} ({error.hint})") from error


def age_option(text: str | int) -> int:
    """Parser of an option: as `duration_option`, or 0. Raises BadValue."""
    return 0 if text in ("0", 0) else duration_option(str(text))


def seconds_option(text: str | float) -> float:
    """Parser of an option: seconds, with or without a fraction. Raises BadValue."""
    try:
        return float(text)
    except ValueError as error:
        raise BadValue(f"{str(text)[:80]!r} is not a number of seconds") from error


def named_path(text: str) -> Path:
    """Parser of an option: a path. Raises BadValue if it is empty: pathlib would take the current folder."""
    if not text:
        raise BadValue("the path is empty")
    return Path(text)


def named_folder(text: str) -> Path:
    """Parser of an option: a folder on this machine. Raises BadValue for a URL, and as `named_path`."""
    if text.lower().startswith(("https:", "http:")):
        raise BadValue(f"{text[:80]!r} is a URL, and a folder on this machine is needed")
    return named_path(text)


def is_setting(path: Path | None, variable: str) -> bool:
    """Whether a path is the one that an environment variable names: a setting of this machine."""
    named = os.environ.get(variable)
    return bool(named and path == Path(named))


def named_location(text: str) -> CatalogLocation:
    """Parser of an option: a folder or a URL. Raises as `named_path`, and UsageError for a URL that is not allowed."""
    return parse_location(text) if text else named_path(text)


def signature_number(value: int | None, family: int | None, model: int | None, stepping: int | None) -> int | None:
    """The vCPU signature as given, or from family, model and stepping; None if nothing is given.

    Raises UsageError if one of the three is missing, or if the signature is given too.
    """
    parts = [family, model, stepping]
    if parts == [None, None, None]:
        return value
    if value is not None or family is None or model is None or stepping is None:
        raise UsageError(
            "--vcpu-family, --vcpu-model and --vcpu-stepping go together, and exclude --vcpu-signature",
            "give all three, or the signature alone",
        )
    return VcpuSignature.of(family=family, model=model, stepping=stepping).value


def read_passphrase(path: Path | None) -> bytes | None:
    """The passphrase in a file, without the newline at its end; None without a file.

    Raises UsageError if the file is empty, and as `read_file` does.
    """
    if path is None:
        return None
    passphrase = read_file(path, limit=MAX_PASSPHRASE, regular=True).removesuffix(b"\n").removesuffix(b"\r")
    if not passphrase:
        raise UsageError(f"{path} contains no passphrase")
    return passphrase


def invocation() -> str:
    """How to call this program again: `ldcat` if the PATH leads to it, otherwise the path that it was called by."""
    called = sys.argv[0]
    found = shutil.which("ldcat")
    return called if Path(called).name == "ldcat" and (found is None or not Path(called).samefile(found)) else "ldcat"


def said_again(arguments: Sequence[str], option: str, value: str) -> str:
    """The same command line with another value of an option, for a shell."""
    kept, rest = [], iter(arguments)
    for argument in rest:
        if argument == option:
            next(rest)
        elif not argument.startswith(f"{option}="):
            kept.append(argument)
    return shlex.join([invocation(), *kept, option, value])


MAX_PASSPHRASE = 1024
"""Bytes of a passphrase file."""

PassphraseOption = Annotated[
    Path | None,
    Option(
        "--passphrase-file",
        parser=named_path,
        metavar="FILE",
        envvar="LDCAT_PASSPHRASE_FILE",
        help="File with the passphrase of the private keys, which is never printed.",
    ),
]

CatalogOption = Annotated[
    Any,  # CatalogLocation | None
    Option(
        "--catalog",
        parser=named_location,
        metavar="DIR|URL",
        envvar="LDCAT_CATALOG",
        help="Folder of a catalog, of a log or of a release, or its URL; if not given, the default catalog.",
    ),
]

BuildsOption = Annotated[
    Any,  # CatalogLocation | None
    Option(
        "--catalog",
        parser=named_location,
        metavar="DIR|URL",
        envvar="LDCAT_CATALOG",
        help="Catalog whose builds can be named, in addition to the embedded ones.",
    ),
]

ReleaseArgument = Annotated[
    Any,  # CatalogLocation, and typer knows no unions
    Argument(
        parser=named_location, metavar="RELEASE", help="Folder of a catalog, of a log or of a release, or its URL."
    ),
]

WrittenLogOption = Annotated[
    Path | None,
    Option("--log", parser=named_folder, metavar="DIR", help="Folder of the log; if not given, that in ldcat.toml."),
]
"""Without LDCAT_LOG: what was appended to the wrong log cannot be removed."""

KEY = Option(
    "--key", parser=named_path, metavar="FILE", envvar="LDCAT_KEY", help="Private keys, which `ldcat keygen` made."
)

OwnKeyOption = Annotated[
    Path | None,
    Option(
        "--key",
        parser=named_path,
        metavar="FILE",
        envvar="LDCAT_KEY",
        help="Private keys, which `ldcat keygen` made; if not given, those in ldcat.toml.",
    ),
]

OUTPUT = ("--output", "-o")
"""What is written is a file or a folder, so each command has its own help."""

OwnLogOption = Annotated[
    Path | None,
    Option(
        "--log",
        parser=named_folder,
        metavar="DIR",
        envvar="LDCAT_LOG",
        help="Folder of the log; if not given, that in ldcat.toml.",
    ),
]

OwnTrustOption = Annotated[
    Path | None,
    Option(
        "--trust",
        parser=named_path,
        metavar="FILE",
        envvar="LDCAT_TRUST",
        help="Trust note to verify against: keys of the log, policy; if not given, that in ldcat.toml.",
    ),
]

HtmlOption = Annotated[
    Path | None,
    Option(
        "--html",
        parser=named_path,
        metavar="FILE",
        help="Also write the answer as an HTML page with pictures.",
    ),
]

LOG_TRUST = Option(
    "--trust",
    parser=named_path,
    metavar="FILE",
    envvar="LDCAT_TRUST",
    help="Trust note to verify against: keys of the log, policy.",
)

LogTrustOption = Annotated[Path, LOG_TRUST]

QuietOption = Annotated[bool, Option("--quiet", "-q", envvar="LDCAT_QUIET", help="No notes and no progress on stderr.")]

FORMAT = Option("--format", "-f", envvar="LDCAT_FORMAT", help="Output format.")
"""Of every command that has more than one; its type is a Literal of those that the command has."""

TableFormatOption = Annotated[Literal[Format.TABLE, Format.JSON], FORMAT]

TrustOption = Annotated[
    Path | None,
    Option(
        "--trust",
        parser=named_path,
        metavar="FILE",
        help="Trust note to verify a published release against; if not given, the file that LDCAT_TRUST names.",
    ),
]

SkipVerifyOption = Annotated[
    bool,
    Option(
        "--insecure-skip-verify",
        help="Use a published release without verifying who signed it or how old it is.",
    ),
]

MaxCheckpointAgeOption = Annotated[
    int,
    Option(
        "--max-checkpoint-age",
        parser=age_option,
        metavar="DURATION",
        envvar="LDCAT_MAX_CHECKPOINT_AGE",
        help="Use a checkpoint that the host had so long ago, such as 5m, without asking it for a newer one.",
    ),
]
"""By default the host is asked each time, so a revocation is seen at once."""
