"""A proof that this machine has verified: what was said of it, for as long as that holds.

A guest presents the same proof at each boot, and to verify its signatures again takes ten times as long as to read what
was found. It holds for the same bytes of proof, trust note and evidence, while nothing else was seen of the logs of the
trust note, the proof is fresh, and the clock has not gone back.
"""

from __future__ import annotations

from catalog.fast.packed import light_sha256
from catalog.fast.published import read_below

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

_FORMAT = "ldcat-known-proof/1"
_HEAD = 6
"""Lines before what was said."""


class KnownProof:
    """What is remembered of one proof, in a file of the state folder.

    state: the state folder. given: everything that the verdict and its words depend on, besides what was seen.
    """

    def __init__(self, state: str, given: Sequence[bytes]) -> None:
        self._sha256 = light_sha256()
        self._state = state
        self.name = f"proofs/{self._hash(b''.join(map(self._of_one, given)))}"

    def said(self, now: float) -> tuple[str, str, str] | None:
        """What to print: as a table, as JSON, and notes beside JSON; None if nothing that holds is remembered.

        now: seconds since 1970. Raises Shared if others can write to the file.
        """
        data = read_below(self._state, self.name, private=True) or b""
        try:
            *head, rest = data.decode("utf-8").split("\n", _HEAD)
            form, since, until, conditions, seen, sizes = head
            table, document = map(int, sizes.split())
            holds = form == _FORMAT and int(since) <= now < int(until)
        except ValueError:
            return None
        if not holds or conditions != self.conditions(seen.split("\t")):
            return None
        return rest[:table], rest[table : table + document], rest[table + document :]

    def text(self, said: tuple[str, str, str], seen: Sequence[str], *, since: int, until: int) -> bytes:
        """The contents of the file. said: as `said` gives it. seen: names of files, as for `conditions`.

        since, until: when it begins and ends to hold, in seconds since 1970.
        """
        sizes = f"{len(said[0])} {len(said[1])}"
        head = [_FORMAT, str(since), str(until), self.conditions(seen), "\t".join(seen), sizes]
        return "\n".join([*head, "".join(said)]).encode("utf-8")

    def conditions(self, seen: Sequence[str]) -> str:
        """A hash of what was seen: files below the state folder, by name, each of which may be absent."""
        return self._hash(b"".join(self._of_one(read_below(self._state, name, private=True) or b"") for name in seen))

    def _of_one(self, data: bytes) -> bytes:
        return bytes(self._sha256(data).digest())

    def _hash(self, data: bytes) -> str:
        return str(self._sha256(data).hexdigest())
