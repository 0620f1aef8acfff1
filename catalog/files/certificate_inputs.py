"""Files of certificates, read with limits; nothing is loaded that takes long, unless a file cannot be read."""

from __future__ import annotations

import os

from catalog.endorse.certificates import parse_certificates, parse_revocation_lists
from catalog.errors import MalformedInput, UsageError
from catalog.fast.beneath import read_bounded

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TypeVar

    from catalog.endorse.certificate import Certificate
    from catalog.endorse.crl import RevocationList
    from catalog.endorse.tdx.collateral import Collateral

    Parsed = TypeVar("Parsed")

MAX_CERTIFICATES = 256 << 10
"""Bytes: limit for a file of certificates."""

MAX_CERTIFICATE_FILES = 1_000


def read_certificates(path: str | os.PathLike[str], left_out: list[str] | None = None) -> list[Certificate]:
    """All certificates of a file, or of the files in a folder. left_out: receives the names of its other files.

    Raises Unreadable, MalformedInput for a file that has none, UsageError for a folder with none or too many files.
    """
    found = [one for part in _parsed(path, left_out, parse_certificates) for one in part]
    if not found:
        raise UsageError(f"{path} has no certificates", "needed are the VCEK or VLEK, the ASK or ASVK, and the ARK")
    return found


def read_collateral(path: str | os.PathLike[str], left_out: list[str] | None = None) -> Collateral:
    """What a file, or the files in a folder, say of the platform of a quote. left_out: as for `read_certificates`.

    Raises Unreadable, MalformedInput for a file of another form, UsageError for a folder with none or too many files.
    """
    from catalog.endorse.tdx.collateral import Collateral

    found = list(_parsed(path, left_out, Collateral.parse))
    if not found:
        raise UsageError(f"{path} has no collateral", "such as the TCB info, the QE identity and CRLs of Intel's PCS")
    return Collateral.joined(found)


def _parsed(
    path: str | os.PathLike[str], left_out: list[str] | None, parse: Callable[[bytes], Parsed]
) -> Iterator[Parsed]:
    """What a file, or each file of a folder is; other files of a folder are left out."""
    path = os.fspath(path)
    try:
        is_folder = os.path.isdir(path)  # noqa: PTH112 - pathlib takes long to load
        files = sorted(file.path for file in os.scandir(path) if file.is_file()) if is_folder else [path]
    except OSError as error:
        from pathlib import Path

        from catalog.files import inputs

        raise inputs.unreadable(Path(path), error) from error
    if len(files) > MAX_CERTIFICATE_FILES:
        raise UsageError(f"{path} has more than {MAX_CERTIFICATE_FILES} files", "give a folder of certificates only")
    for file in files:
        try:
            yield parse(_contents(file))
        except MalformedInput as error:
            if not is_folder:
                raise MalformedInput(f"{file}: {error}") from error
            if left_out is not None:
                left_out.append(file)


def read_roots(path: str | os.PathLike[str]) -> list[Certificate]:
    """All certificates of a file or folder of roots.

    Raises the errors of `read_certificates`, UsageError if a certificate cannot be a root.
    """
    from catalog.endorse.endorsement import check_root  # cryptography takes long to load

    found = read_certificates(path)
    for certificate in found:
        check_root(certificate)
    return found


def _contents(file: str) -> bytes:
    """A file of certificates; raises Unreadable."""
    data = read_bounded(file)
    if data is None or len(data) > MAX_CERTIFICATES:  # which says why
        from pathlib import Path

        from catalog.files import inputs

        data = inputs.read_file(Path(file), limit=MAX_CERTIFICATES, regular=True)
    return data


def read_revocation_lists(path: str | os.PathLike[str]) -> list[RevocationList]:
    """The revocation lists of a file; raises Unreadable, MalformedInput for anything else."""
    try:
        return parse_revocation_lists(_contents(os.fspath(path)))
    except MalformedInput as error:
        raise MalformedInput(f"{path}: {error}", error.hint) from error
