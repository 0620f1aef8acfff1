"""Published releases, and the memory of verifications on this machine, so that each release is verified once."""

from __future__ import annotations

from catalog.fast.beneath import Files, read_below
from catalog.fast.folder_location import CHECKPOINT, FolderLocation
from catalog.fast.packed import light_sha256

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from catalog.notes import Note

NO_REVOCATIONS = "4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945"
"""SHA-256 of an empty list of revocations: `[]`."""

_FORMAT = "ldcat-verified/4"


class PublishedRelease:
    """A release of a log, verified against a trust note at a checkpoint.

    log: folder of the log.
    origin, size, root: of the checkpoint; root in hex.
    number: of the release.
    last: number of the last release of the log.
    manifest_sha256: of the release's catalog, in hex.
    revocations_sha256: of the newest list of revocations, in hex.
    trust_version: of the trust note; 0 if nothing was verified.
    newer_trust: version of a later trust note that the publisher announces; 0 if there is none.
    fresh_until: seconds since 1970.
    source: the LogFolder that it is read from, if that is not the folder `log` itself.
    notes: what this version does not know of the log. A release with notes is not remembered, so that they are printed
    each time.
    """

    __slots__ = (
        "fresh_until",
        "last",
        "log",
        "manifest_sha256",
        "newer_trust",
        "notes",
        "number",
        "origin",
        "revocations_sha256",
        "root",
        "size",
        "source",
        "trust_version",
    )

    def __init__(
        self,
        *,
        log: str,
        origin: str,
        size: int,
        root: str,
        number: int,
        last: int,
        manifest_sha256: str,
        revocations_sha256: str,
        trust_version: int,
        newer_trust: int,
        fresh_until: int,
        source: Any = None,
    ) -> None:
        self.notes: tuple[Note, ...] = ()
        self.log = log
        self.source = source
        self.origin = origin
        self.size = size
        self.root = root
        self.number = number
        self.last = last
        self.manifest_sha256 = manifest_sha256
        self.revocations_sha256 = revocations_sha256
        self.trust_version = trust_version
        self.newer_trust = newer_trust
        self.fresh_until = fresh_until

    @property
    def folder(self) -> str:
        """Folder of the release's catalog files."""
        return f"{self.log}/releases/{self.number}"

    @property
    def files(self) -> Files:
        """The files of the release's catalog, below the folder of the log."""
        return Files(self.log, f"releases/{self.number}")

    @property
    def location(self) -> str:
        """Where it is, for messages: its folder, or the address of that on a host."""
        return f"{self.source.name if self.source else self.log}/releases/{self.number}"

    def revocations(self, number: int) -> str:
        """Path, below the log, of the list of revocations as of the release with this number."""
        return f"releases/{number}/revocations.json"

    def revokes_nothing(self) -> bool:
        """Whether the newest list of revocations is empty, and still is in the log."""
        return self.revocations_sha256 == NO_REVOCATIONS and read_below(self.log, self.revocations(self.last)) == b"[]"

    def summary(self) -> str:
        """A summary for people: release, log, and how it was verified."""
        newer = f", whose last one is release {self.last}" if self.last > self.number else ""
        how = (
            f"verified against version {self.trust_version} of the trust note" if self.trust_version else "NOT VERIFIED"
        )
        return f"release {self.number} of {self.origin}{newer}: {how}"

    def to_dict(self) -> dict[str, Any]:
        """The object `release` in the JSON of lookup and other commands; see docs/command-line.md."""
        return {
            "origin": self.origin,
            "size": self.size,
            "root": self.root,
            "release": self.number,
            "last_release": self.last,
            "verified": bool(self.trust_version),
            "trust_version": self.trust_version or None,
            "newer_trust_version": self.newer_trust or None,
            "fresh_until": self.fresh_until or None,
        }


class Remembered:
    """The last verification at a location on this machine: one file in the folder `state` for each location.

    It holds as long as trust note and checkpoint have the same bytes, no other checkpoint of the log was seen
    meanwhile, the release is fresh, and the clock has not gone back. If others can write the file, reading it raises
    Shared, which is an OSError. trust: bytes of the trust note; `origin` does not need it.
    """

    def __init__(self, state: str, location: FolderLocation, trust: bytes = b"") -> None:
        self._sha256 = light_sha256()
        self._trust = trust
        self._log = location.log
        self._state = state
        self._name = f"verified/{self._hash(location.path.encode('utf-8', 'surrogateescape'))}"
        self.path = f"{state}/{self._name}"

    def origin(self) -> str | None:
        """Origin of the log that was last verified at this location, even if that no longer holds; None: never."""
        lines = self._lines()
        return lines[4] if lines else None

    def release(self, now: float, checkpoint: bytes | None = None) -> PublishedRelease | None:
        """The verified release, or None if the verification does not hold any more.

        now: seconds since 1970.
        checkpoint: of the log, if that is at a host; otherwise it is read.
        """
        lines, log = self._lines(), self._log
        if not lines or log is None:
            return None
        seen, conditions, since, *values = lines[1:-1]
        try:
            found = PublishedRelease(
                log=log, **{name: kind(value) for (name, kind), value in zip(_FIELDS.items(), values, strict=True)}
            )
            timely = int(since) <= now < found.fresh_until
        except ValueError:
            return None
        if not seen.startswith(f"{self._state}/"):
            return None
        name = seen[len(self._state) + 1 :]
        there = read_below(log, CHECKPOINT) if checkpoint is None else checkpoint
        now_there = (there or b"", read_below(self._state, name, private=True) or b"")
        return found if timely and conditions == self._conditions(*now_there) else None

    def text(self, found: PublishedRelease, checkpoint: bytes, seen: tuple[str, bytes], since: int) -> bytes:
        """The contents of the file for a verified release.

        checkpoint: the verified one.
        seen: path and bytes of the newest checkpoint of this log that was seen.
        since: time of the verification, seconds since 1970; a clock before it has gone back.
        """
        conditions = self._conditions(checkpoint, seen[1])
        lines = [_FORMAT, seen[0], conditions, str(since), *(str(getattr(found, name)) for name in _FIELDS), ""]
        return "\n".join(lines).encode("utf-8", "surrogateescape")

    def _lines(self) -> list[str]:
        data = read_below(self._state, self._name, private=True) or b""
        lines = data.decode("utf-8", "surrogateescape").split("\n")
        return lines if len(lines) == len(_FIELDS) + 5 and lines[0] == _FORMAT else []

    def _conditions(self, checkpoint: bytes, seen: bytes) -> str:
        return self._hash("".join(map(self._hash, (self._trust, checkpoint, seen))).encode())

    def _hash(self, data: bytes) -> str:
        return str(self._sha256(data).hexdigest())


_FIELDS: dict[str, type[Any]] = {
    "origin": str,
    "size": int,
    "root": str,
    "number": int,
    "last": int,
    "manifest_sha256": str,
    "revocations_sha256": str,
    "trust_version": int,
    "newer_trust": int,
    "fresh_until": int,
}
