"""Trust notes: root keys, a policy that they sign, its expiry, and how one note is followed by the next.

A trust note is a signed note. Its text has head lines, a blank line, and a tlog-policy, unchanged:

    version 3
    expires 1830297600
    max-age 259200
    threshold 2
    log-signatures all
    root ROLE VKEY

Without the optional line `log-signatures all` one signature of the log is enough.

Rotation is that of TUF's root role (The Update Framework, 5.3): the version increases by exactly one, and a threshold
of the old roots and of the new roots has signed the new note.
"""

from __future__ import annotations

from catalog.errors import MalformedInput, Stale, UntrustedSigner, UsageError, VerificationFailed
from catalog.transparency.checkpoint import Checkpoint
from catalog.transparency.durations import span
from catalog.transparency.encoding import from_decimal
from catalog.transparency.keys import SignatureType, Signer, VerifierKey
from catalog.transparency.note import Note, Signature, Unsigned, Verified
from catalog.transparency.policy import Policy
from catalog.values import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MAX_ROOTS = 32

MAX_AHEAD = 3600
"""Seconds: how far clocks may differ."""

_LONGEST_ORIGIN = 80
"""Characters of an origin that is named in a hint."""

_ALL = "log-signatures all"

_POLICY_WORDS = (b"log", b"witness", b"group", b"quorum")


class Trust(Value):
    """The contents of a trust note.

    version: 1 or more.
    expires: seconds since 1970.
    max_age: seconds: how long a checkpoint stays fresh.
    threshold: how many of the roots have to sign a version.
    roots: keys by role.
    policy: which logs and witnesses are trusted.
    policy_text: the policy as written in the note.
    all_log_signatures: whether every key of a log in the policy has to sign its checkpoints; otherwise any one.
    """

    version: int
    expires: int
    max_age: int
    threshold: int
    roots: Mapping[str, VerifierKey]
    policy: Policy
    policy_text: str
    all_log_signatures: bool = False

    @classmethod
    def parse(cls, text: str) -> Trust:
        """Parse the text of a trust note. Raises MalformedInput."""
        if any(character < " " and character != "\n" for character in text):
            raise MalformedInput("the trust note contains control characters")
        head, blank, policy_text = text.partition("\n\n")
        lines = head.split("\n")
        if not blank or len(lines) < 5:
            raise MalformedInput("the trust note is not a head of 5 lines or more, a blank line and a trust policy")
        version, expires, max_age, threshold = (
            _number(line, name)
            for line, name in zip(lines, ("version", "expires", "max-age", "threshold"), strict=False)
        )
        demands_all = lines[4] == _ALL
        roots = _roots(lines[5 if demands_all else 4 :])
        if not version or not max_age or not 1 <= threshold <= len(roots):
            raise MalformedInput(
                "threshold, version or max-age out of range: "
                f"threshold {threshold} of {len(roots)} root keys, version {version}, max-age {max_age}"
            )
        policy = Policy.parse(policy_text.encode("utf-8", "surrogateescape"))
        if not policy.logs:
            raise MalformedInput("the policy of a trust note names no log")
        return cls(version, expires, max_age, threshold, roots, policy, policy_text, demands_all)

    def __str__(self) -> str:
        head = [f"version {self.version}", f"expires {self.expires}", f"max-age {self.max_age}"]
        head += [f"threshold {self.threshold}", *([_ALL] if self.all_log_signatures else [])]
        head += [f"root {role} {key}" for role, key in self.roots.items()]
        return "\n".join(head) + "\n\n" + self.policy_text

    def check_expiry(self, now: int) -> None:
        """Raises VerificationFailed if the note has expired. now: seconds since 1970."""
        if now >= self.expires:
            raise VerificationFailed("the trust note has expired", "get the next version from whom you got it")

    def open_checkpoint(self, note: Note) -> tuple[Checkpoint, list[Verified]]:
        """Verify a signed checkpoint. Returns it with its verified signers.

        A log of the policy has to have signed it under its own name, and the quorum has to have cosigned it. Raises
        MalformedInput, UntrustedSigner, VerificationFailed for a wrong signature, and for extension lines that some of
        the signatures do not cover.
        """
        try:
            signers = note.verify(list(dict.fromkeys((*self.policy.logs, *self.policy.witnesses.values()))))
        except UntrustedSigner as error:
            raise self._of_another_log(note, error) from error
        checkpoint = self._checkpoint_of_log(note, signers)
        if self.all_log_signatures:
            signed = {signer.key for signer in signers}
            for key in self.policy.logs:
                if key.name == checkpoint.origin and key not in signed:
                    raise UntrustedSigner(
                        f"the trust note demands all signatures of {key.name}, and that of {key.type.title} is missing",
                        "publish with the file that has all keys of the log",
                    )
        if not self.policy.accepts([vote.key for vote in self.policy.votes(signers)]):
            raise UntrustedSigner(
                "this checkpoint lacks the witness quorum that your trust note requires",
                "ldcat doctor LOG --trust FILE says who is missing; its publisher can ask them",
            )
        return checkpoint, signers

    def _of_another_log(self, note: Note, error: UntrustedSigner) -> UntrustedSigner:
        """The error for a checkpoint that no trusted key signed, which says which log it claims to be of."""
        origin, names = note.text.partition("\n")[0], {key.name for key in self.policy.logs}
        if not origin or len(origin) > _LONGEST_ORIGIN:
            return error
        if origin in names:
            hint = f"ask the publisher of {origin} for its newest trust note: the keys may have been replaced"
            return UntrustedSigner(str(error), hint)
        return UntrustedSigner(
            f"this is the log {origin}: {error}", f"ask the publisher of {origin} for its trust note"
        )

    def open_uncosigned(self, note: Note) -> Checkpoint:
        """As `open_checkpoint`, but without the quorum, for checkpoints that are still to be cosigned."""
        return self._checkpoint_of_log(note, note.verify(self.policy.logs))

    def _checkpoint_of_log(self, note: Note, signers: Sequence[Verified]) -> Checkpoint:
        checkpoint = Checkpoint.parse(note.text)
        if not any(by.key in self.policy.logs and by.key.name == checkpoint.origin for by in signers):
            raise UntrustedSigner(f"no trusted log of the name {checkpoint.origin} signed this checkpoint")
        if checkpoint.extensions and not all(by.key.type.covers_extensions for by in signers):
            raise VerificationFailed("the checkpoint has extension lines that not all of its signatures cover")
        return checkpoint

    def fresh_until(self, signers: Sequence[Verified], made: int | None, now: int) -> int:
        """Until when a checkpoint is fresh, in seconds since 1970: max_age after its quorum cosigned it last.

        That is the latest time such that the cosignatures made at or after it satisfy the quorum; times of the log's
        own keys do not count. If the policy requires no quorum, it is the newest of the witnesses' times and of `made`,
        the time in the last release record (None if unknown). Times more than MAX_AHEAD after `now` are ignored:
        otherwise one key that lies could keep an old checkpoint fresh for ever. Raises Stale if no time is left.
        """
        latest = now + MAX_AHEAD
        times = {vote.key: vote.timestamp or 0 for vote in self.policy.votes(signers)}
        candidates = [*times.values(), *([made] if self.policy.quorum is None and made is not None else [])]
        for time in sorted((time for time in candidates if time <= latest), reverse=True):
            if self.policy.accepts([key for key, cosigned in times.items() if time <= cosigned <= latest]):
                return time + self.max_age
        raise Stale(
            "this checkpoint has no quorum of cosignatures with a valid time:"
            f" times more than {MAX_AHEAD} seconds ahead are ignored",
            "is the clock of this machine behind?",
        )

    def check_fresh(self, signers: Sequence[Verified], made: int | None, now: int) -> int:
        """As `fresh_until`. Raises Stale also if that time has passed."""
        until = self.fresh_until(signers, made, now)
        if now > until:
            raise Stale(
                "this checkpoint is stale: its newest cosignature is older than max-age;"
                f" it was fresh until {span(now - until)} ago",
                f"get the log or the proof again; its publisher keeps it fresh: {self._kept_fresh_by}",
            )
        return until

    @property
    def _kept_fresh_by(self) -> str:
        command = self.policy.renewed_by
        return f"{command}, every day" if command else "a new release, or a heartbeat key in the trust note"

    def check_signed(self, note: Note) -> None:
        """Raises UntrustedSigner unless a threshold of the roots signed the note. Distinct public keys are counted."""
        try:
            signers = {verified.key.public_key for verified in note.verify(list(self.roots.values()))}
        except UntrustedSigner:
            signers = set()
        if len(signers) < self.threshold:
            missing = ", ".join(role for role, key in self.roots.items() if key.public_key not in signers)
            raise UntrustedSigner(
                f"{len(signers)} of {len(self.roots)} root keys signed this trust note, and {self.threshold} have to;"
                f" missing: {missing}",
                "ldcat trust sign adds the signature of one",
            )


def read_unsigned(data: bytes) -> Note:
    """Read a trust note without verifying signatures; it may be its text alone. Raises MalformedInput."""
    _refuse_policy(data)
    try:
        note = Note.parse(data)
    except MalformedInput:
        try:
            note = Note(data.decode("utf-8"), ())
        except UnicodeDecodeError as error:
            raise MalformedInput("the trust note is not UTF-8") from error
    Trust.parse(note.text)
    return note


def parse_signed(data: bytes) -> Note:
    """Read a trust note that has signatures, without verifying them. Raises MalformedInput."""
    _refuse_policy(data)
    try:
        return Note.parse(data)
    except Unsigned as error:
        why = "the trust note has no signatures: it was cut, was never signed, or is another file"
        raise MalformedInput(why, "get it again; a publisher adds signatures with ldcat trust sign") from error


def _refuse_policy(data: bytes) -> None:
    """Raises MalformedInput for a policy by itself, which is often beside a trust note."""
    lines = (line for line in data.split(b"\n") if line.strip(b" \t") and not line.lstrip(b" \t").startswith(b"#"))
    first = next(lines, b"").replace(b"\t", b" ")
    if first.startswith(tuple(word + b" " for word in _POLICY_WORDS)):
        raise MalformedInput(
            "this is a trust policy, not a trust note", "ldcat trust init --policy FILE makes one of it"
        )


def sign_trust(note: Note, signers: Sequence[Signer], now: int) -> Note:
    """Add signatures to a trust note. Raises UsageError for keys that can only sign checkpoints.

    The roots of the previous note have to sign the next one too. now: seconds since 1970.
    """
    if any(signer.key.type is not SignatureType.ED25519 for signer in signers):
        raise UsageError("root keys must be Ed25519 note keys", "ldcat keygen --for root")
    made = [Signature(signer.key.name, signer.key.key_id, signer.sign(note.text, now)) for signer in signers]
    return note.with_signatures(made)


def open_trust(note: Note) -> Trust:
    """Open a note that its own roots signed: the first note, or one that was accepted before.

    Raises MalformedInput, UntrustedSigner, VerificationFailed.
    """
    trust = Trust.parse(note.text)
    trust.check_signed(note)
    return trust


def follow(old: Trust, note: Note) -> Trust:
    """Open the next version of a trust note.

    Raises MalformedInput, VerificationFailed for another version, UntrustedSigner if old or new roots are missing.
    """
    new = Trust.parse(note.text)
    if new.version != old.version + 1:
        raise VerificationFailed(f"version {new.version} of a trust note does not follow version {old.version}")
    old.check_signed(note)
    new.check_signed(note)
    return new


def _number(line: str, name: str) -> int:
    keyword, _, value = line.partition(" ")
    if keyword != name:
        raise MalformedInput(f"the trust note: expected line {name!r}, found {keyword!r}")
    return from_decimal(value, f"{name} of the trust note")


def _roots(lines: list[str]) -> dict[str, VerifierKey]:
    found: dict[str, VerifierKey] = {}
    for line in lines:
        words = line.split(" ")
        if len(words) != 3 or words[0] != "root" or not words[1] or words[1] in found:
            raise MalformedInput("a root line of the trust note is not: root ROLE VKEY, or repeats a role")
        key = VerifierKey.parse(words[2])
        if key.type is not SignatureType.ED25519:
            raise MalformedInput("root keys must be Ed25519 note keys")
        if any(key.public_key == other.public_key for other in found.values()):
            raise MalformedInput("duplicate root key")
        found[words[1]] = key
    if len(found) > MAX_ROOTS:
        raise MalformedInput(f"the trust note has more than {MAX_ROOTS} roots")
    return found


def read_trust(data: bytes) -> Trust:
    """Read a trust note that its own roots signed. Raises MalformedInput, UntrustedSigner, VerificationFailed."""
    return open_trust(parse_signed(data))
