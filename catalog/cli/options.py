"""Options that several commands share, and how their texts are read."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from catalog.abi.vcpu import VcpuSignature
from catalog.errors import UsageError
from catalog.files.inputs import read_file
from catalog.launch.hashing.backends import HashBackend, choose
from catalog.rows import numbers
from catalog.terminal.render import Format
from catalog.verify.location import CatalogLocation, parse_location


def number_option(text: str) -> int:
    """A number in decimal, 0x or 0b, for an option."""
    try:
        return numbers.parse_number(text)
    except UsageError as error:
        raise typer.BadParameter(f"{error} ({error.hint})") from error


def named_path(text: str) -> Path:
    """A path for an option; the empty one, which would be the current folder, is none."""
    if not text:
        raise typer.BadParameter("an empty path names nothing")
    return Path(text)


def named_location(text: str) -> CatalogLocation:
    """A folder or a URL; raises as `named_path`, and UsageError for a URL that cannot be fetched."""
    return parse_location(text) if text else named_path(text)


def signature_number(value: int | None, family: int | None, model: int | None, stepping: int | None) -> int | None:
    """CPUID(1).EAX as it was given, or from family, model and stepping; raises UsageError for half of them, or both."""
    parts = [family, model, stepping]
    if parts == [None, None, None]:
        return value
    if value is not None or family is None or model is None or stepping is None:
        raise UsageError("vCPU family, model and stepping go together, and without --vcpu-signature")
    return VcpuSignature.of(family=family, model=model, stepping=stepping).value


def hash_backend() -> HashBackend:
    """The hash backend that LDCAT_HASH_BACKEND names, by its older name LDCAT_KERNELS; else the best one."""
    return choose(os.environ.get("LDCAT_HASH_BACKEND") or os.environ.get("LDCAT_KERNELS") or None)


def read_passphrase(path: Path | None) -> bytes | None:
    """The passphrase that a file holds, without the newline behind it; None without a file. Raises Unreadable."""
    if path is None:
        return None
    passphrase = read_file(path, limit=MAX_PASSPHRASE, regular=True).removesuffix(b"\n").removesuffix(b"\r")
    if not passphrase:
        raise UsageError(f"{path} holds no passphrase")
    return passphrase


def invocation() -> str:
    """How this program can be called again: `ldcat` where that is it, else the path it was called by."""
    called = sys.argv[0]
    found = shutil.which("ldcat")
    return called if Path(called).name == "ldcat" and (found is None or not Path(called).samefile(found)) else "ldcat"


def require(chosen: Format, *possible: Format) -> None:
    """Raises UsageError for a format a command has no form for."""
    if chosen not in possible:
        raise UsageError(f"there is no {chosen.value} form of this", f"one of: {', '.join(possible)}")


MAX_PASSPHRASE = 1024
"""Bytes."""

PassphraseOption = Annotated[
    Path | None,
    typer.Option(
        "--passphrase-file",
        parser=named_path,
        metavar="FILE",
        envvar="LDCAT_PASSPHRASE_FILE",
        help="Passphrase of the private keys; it is in no argument, and never printed.",
    ),
]

CatalogOption = Annotated[
    Any,  # CatalogLocation | None
    typer.Option(
        "--catalog",
        parser=named_location,
        metavar="DIR|URL",
        envvar="LDCAT_CATALOG",
        help="Catalog to ask, or URL of a published one; without it what `ldcat build` made of the embedded default.",
    ),
]

BuildsOption = Annotated[
    Any,  # CatalogLocation | None
    typer.Option(
        "--catalog",
        parser=named_location,
        metavar="DIR|URL",
        envvar="LDCAT_CATALOG",
        help="A catalog whose builds can be named, besides the embedded ones.",
    ),
]

ReleaseArgument = Annotated[
    Any,  # CatalogLocation, and typer knows no unions
    typer.Argument(
        parser=named_location, metavar="RELEASE", help="Folder of a catalog, of a log or of its release; or its URL."
    ),
]

LogOption = Annotated[
    Path,
    typer.Option("--log", parser=named_path, metavar="DIR", envvar="LDCAT_LOG", help="Folder of the log."),
]

HtmlOption = Annotated[
    Path | None,
    typer.Option(
        "--html",
        parser=named_path,
        metavar="FILE",
        help="Write it as a page, too: one file, with pictures, that prints well.",
    ),
]

LogTrustOption = Annotated[
    Path,
    typer.Option(
        "--trust",
        parser=named_path,
        metavar="FILE",
        envvar="LDCAT_TRUST",
        help="Trust note: whose log it has to be.",
    ),
]

QuietOption = Annotated[
    bool, typer.Option("--quiet", "-q", envvar="LDCAT_QUIET", help="No notes and no progress on stderr.")
]

TableFormatOption = Annotated[
    Format, typer.Option("--format", "-f", envvar="LDCAT_FORMAT", help="Form of the answer on stdout.")
]

TrustOption = Annotated[
    Path | None,
    typer.Option(
        "--trust",
        parser=named_path,
        metavar="FILE",
        help="Trust note that a published release is verified against; else the file that LDCAT_TRUST names.",
    ),
]

SkipVerifyOption = Annotated[
    bool,
    typer.Option(
        "--insecure-skip-verify", help="Believe a published release without a trust note: whoever wrote it, and when."
    ),
]
