"""Trust policies (C2SP tlog-policy, a draft): which logs, which witnesses, and how many of these are enough.

Votes are counted more strictly here than in that draft. Keys with the same key name are one witness, which has one vote
in a group with a threshold; a group `all` of witnesses requires every key in it, so that a policy can require two
signatures of one witness. A key that belongs to a log, or has its name, never votes: a log cannot be its own witness.
"""

from __future__ import annotations

from catalog.errors import MalformedInput
from catalog.transparency.encoding import is_digits
from catalog.transparency.keys import SignatureType, VerifierKey
from catalog.values import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from catalog.transparency.note import Verified

MAX_POLICY = 1 << 20
"""Bytes: the largest policy that is read."""

MAX_LINES = 1000

_CONTROL = bytes({*range(0x20), 0x7F} - {*b"\t\n"})
_MOST_DIGITS = 4
_LOG_TYPES = (SignatureType.ED25519, SignatureType.COSIGNATURE_ML_DSA_44)
_WITNESS_TYPES = (SignatureType.COSIGNATURE_ED25519, SignatureType.COSIGNATURE_ML_DSA_44)


class Group(Value):
    """A group, which is satisfied if at least `threshold` of its voices are.

    threshold: number of voices.
    members: names of witnesses and groups.
    voices: the members, where those that keys of the same name could satisfy are one voice and count once. In a group
    `all` with witnesses only, each member is a voice of its own.
    """

    threshold: int
    members: tuple[str, ...]
    voices: tuple[tuple[str, ...], ...]


class Policy(Value):
    """A trust policy.

    logs: keys of the logs whose checkpoints are accepted.
    witnesses: keys by name.
    groups: by name; each comes after its members.
    quorum: name of a witness or group; None if no quorum is required.
    witness_urls: submission prefixes by name, for witnesses that have one.
    """

    logs: tuple[VerifierKey, ...]
    witnesses: Mapping[str, VerifierKey]
    groups: Mapping[str, Group]
    quorum: str | None
    witness_urls: Mapping[str, str]

    @classmethod
    def parse(cls, data: bytes) -> Policy:
        """Parse a policy; its last line may lack the newline. Raises MalformedInput, naming the line."""
        if len(data) > MAX_POLICY or data.count(b"\n") > MAX_LINES:
            raise MalformedInput(f"the trust policy has more than {MAX_POLICY} bytes or {MAX_LINES} lines")
        if data.startswith(b"version "):
            raise MalformedInput(
                "this is a trust note, not a trust policy", "ldcat trust show NOTE --policy prints its policy"
            )
        if len(data.translate(None, _CONTROL)) < len(data):
            raise MalformedInput("the trust policy contains control characters")
        reader = _Reader()
        for number, raw in enumerate(data.decode("utf-8", "surrogateescape").split("\n"), 1):
            words = [word for word in raw.replace("\t", " ").split(" ") if word]
            if words and not words[0].startswith("#"):
                try:
                    reader.read(words)
                except MalformedInput as error:
                    raise MalformedInput(f"line {number} of the trust policy: {error}", error.hint) from error
        if not reader.has_quorum:
            raise MalformedInput("no quorum line in the trust policy", "quorum NAME, or quorum none")
        return cls(tuple(reader.logs), reader.witnesses, reader.groups, reader.quorum, reader.witness_urls)

    def accepts(self, signers: Collection[VerifierKey]) -> bool:
        """Whether the signers satisfy the quorum. Does not check that a log signed."""
        return self.quorum is None or self.quorum in self.satisfied(signers)

    def satisfied(self, signers: Collection[VerifierKey]) -> set[str]:
        """Names of the witnesses among the signers, and of the groups that they satisfy."""
        found = {name for name, key in self.witnesses.items() if key in signers and not self.is_of_log(key)}
        for name, group in self.groups.items():
            if sum(not found.isdisjoint(voice) for voice in group.voices) >= group.threshold:
                found.add(name)
        return found

    def votes(self, signers: Iterable[Verified]) -> list[Verified]:
        """Cosignatures that count: of witnesses, with a time. Timestamp 0 states no time, so it shows no freshness."""
        witnesses = set(self.witnesses.values())
        return [by for by in signers if by.timestamp and by.key in witnesses and not self.is_of_log(by.key)]

    def is_of_log(self, key: VerifierKey) -> bool:
        """Whether a key has the public key or the name of a log of this policy."""
        return any(key.name == log.name or key.public_key == log.public_key for log in self.logs)

    @property
    def renewed_by(self) -> str | None:
        """The ldcat command that has a checkpoint cosigned again, without options; None if no cosigner is named.

        With a quorum it asks the members that have an address. Without one, a key of the publisher cosigns.
        """
        asked = self.witness_urls.keys() & (self.quorum_members() or self.witnesses.keys())
        if asked and (self.quorum or asked == self.witnesses.keys()):
            return "ldcat witness ask"
        return "ldcat cosign --heartbeat" if self.witnesses else None

    def quorum_members(self) -> set[str]:
        """Names of the quorum and of all groups and witnesses in it."""
        found = set() if self.quorum is None else {self.quorum}
        for name, group in reversed(list(self.groups.items())):  # members are defined above their group
            if name in found:
                found.update(group.members)
        return found


class _Reader:
    """Collects the policy line by line."""

    def __init__(self) -> None:
        self.logs: list[VerifierKey] = []
        self.witnesses: dict[str, VerifierKey] = {}
        self.groups: dict[str, Group] = {}
        self.witness_urls: dict[str, str] = {}
        self.quorum: str | None = None
        self.has_quorum = False
        self._members: set[str] = set()
        self._key_names: dict[str, frozenset[str]] = {}

    def read(self, words: list[str]) -> None:
        """Read one line, split into words, that is neither empty nor a comment. Raises MalformedInput."""
        keyword, *rest = words
        if keyword == "log" and len(rest) in (1, 2):
            self.logs.append(self._key(rest[0], _LOG_TYPES, self.logs))
        elif keyword == "witness" and len(rest) in (2, 3):
            name = self._new_name(rest[0])
            self.witnesses[name] = self._key(rest[1], _WITNESS_TYPES, list(self.witnesses.values()))
            self._key_names[name] = frozenset([self.witnesses[name].name])
            if len(rest) == 3:
                self.witness_urls[name] = rest[2]
        elif keyword == "group" and len(rest) >= 3:
            name = self._new_name(rest[0])
            self.groups[name] = self._group(rest[1], rest[2:])
            self._key_names[name] = frozenset().union(*map(self._key_names.__getitem__, rest[2:]))
        elif keyword == "quorum" and len(rest) == 1:
            self._set_quorum(rest[0])
        else:
            raise MalformedInput("unknown line")

    def _key(self, text: str, types: tuple[SignatureType, ...], known: list[VerifierKey]) -> VerifierKey:
        key = VerifierKey.parse(text)
        if key.type not in types:
            whose = "log" if types is _LOG_TYPES else "witness"
            raise MalformedInput(
                f"the {key.type.title} key of {key.name} cannot be a {whose}'s", f"ldcat keygen --for {whose} makes one"
            )
        if any(key.public_key == other.public_key for other in known):
            raise MalformedInput("duplicate public key")
        return key

    def _new_name(self, name: str) -> str:
        if name == "none" or name in self.witnesses or name in self.groups:
            raise MalformedInput(f"the name {name!r} is taken")
        return name

    def _group(self, how_many: str, members: list[str]) -> Group:
        for member in members:
            if member not in self.witnesses and member not in self.groups:
                raise MalformedInput(f"no witness or group {member!r} is defined above")
            if member in self._members:
                raise MalformedInput(f"{member!r} is a member already")
            self._members.add(member)
        named = {"any": 1, "all": len(members)}
        if how_many not in named and (not is_digits(how_many, _MOST_DIGITS) or how_many[0] == "0"):
            raise MalformedInput(f"the threshold must be any, all or a number, got {how_many!r}")
        threshold = named.get(how_many) or int(how_many)
        if threshold > len(members):
            raise MalformedInput(f"a group of {len(members)} cannot reach {threshold}")
        keys = how_many == "all" and all(member in self.witnesses for member in members)
        voices = tuple((member,) for member in members) if keys else self._voices(members)
        return Group(threshold, tuple(members), voices)

    def _voices(self, members: Sequence[str]) -> tuple[tuple[str, ...], ...]:
        """Group members by the key names of their witnesses: two that share one, also indirectly, are one voice."""
        voices: list[tuple[tuple[str, ...], frozenset[str]]] = []
        for member in members:
            together: tuple[str, ...] = (member,)
            names, apart = self._key_names[member], []
            for others, theirs in voices:
                if theirs.isdisjoint(names):
                    apart.append((others, theirs))
                else:
                    together, names = (*others, *together), names | theirs
            voices = [*apart, (together, names)]
        return tuple(voice for voice, _ in voices)

    def _set_quorum(self, name: str) -> None:
        if self.has_quorum:
            raise MalformedInput("second quorum line")
        if name != "none" and name not in self.witnesses and name not in self.groups:
            raise MalformedInput(f"no witness or group {name!r} is defined above")
        self.quorum, self.has_quorum = None if name == "none" else name, True
