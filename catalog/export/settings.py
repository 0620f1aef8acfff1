"""Settings: what a user says of an export beside its rows, such as keys, names and dates."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeVar

from catalog.errors import UsageError

_Value = TypeVar("_Value")

DAY = 86_400
"""Seconds."""
DEFAULT_DAYS = 365
DEFAULT_POLICY = 0x30000
"""Guest policy: SMT allowed (bit 16), reserved bit 17 set; no debugging, no migration agent, any ABI version."""
GUEST_DEFAULTS = {"policy": DEFAULT_POLICY, "guest_svn": 0, "family_id": bytes(16), "image_id": bytes(16)}
"""Settings of an ID block, or of an endorsement for one."""


@dataclass(frozen=True, slots=True)
class GivenFile:
    """A file that an option names. name: the path, for messages. data: its bytes, which may be a private key.

    sidecar: bytes of the sidecar beside it (sidecar.py); None if there is none, or the option needs none.
    """

    name: str
    data: bytes = field(repr=False)
    sidecar: bytes | None = field(default=None, repr=False)

    @property
    def base_name(self) -> str:
        """The name without its folder."""
        return self.name.rpartition("/")[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Settings of an export; None: not given. A format says which of these it takes (ExportFormat.settings).

    name: of the reference value. namespace: of a Kubernetes object.
    valid_from: seconds since 1970. days: validity.
    id_key, author_key, key: private keys in PEM; passphrase: of all that are encrypted.
    cert, ca: certificates in PEM or DER: of `key`, which its issuers' may follow, and of who issued it.
    policy: guest policy, 64 bits. guest_svn: 32 bits. family_id, image_id: 16 bytes.
    issuer, issuer_url: who issues reference values.
    product: product line of the processor, such as Milan.
    commit: of the firmware's source, bytes. cl_spec: number of the change that it was built from.
    files: files that were exported before. tag: name of an OCI artifact.
    """

    name: str | None = None
    namespace: str | None = None
    valid_from: int | None = None
    days: int | None = None
    id_key: GivenFile | None = None
    author_key: GivenFile | None = None
    key: GivenFile | None = None
    passphrase: bytes | None = field(default=None, repr=False)
    cert: GivenFile | None = None
    ca: GivenFile | None = None
    policy: int | None = None
    guest_svn: int | None = None
    family_id: bytes | None = None
    image_id: bytes | None = None
    issuer: str | None = None
    issuer_url: str | None = None
    product: str | None = None
    commit: bytes | None = None
    cl_spec: int | None = None
    files: tuple[GivenFile, ...] = ()
    tag: str | None = None


def needed(value: _Value | None, option: str) -> _Value:
    """The value of a setting that a format requires; raises UsageError, which names its option, if it is not given."""
    if value is None:
        raise UsageError(f"this format needs {option}")
    return value
