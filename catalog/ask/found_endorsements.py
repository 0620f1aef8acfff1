"""Endorsements of a launch digest that is looked up: who endorses it, what is claimed, and what speaks against it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from typing import Any

import msgspec

from catalog.errors import UnknownName
from catalog.fast.match import Match
from catalog.relate.ap_pages import TECHNOLOGY
from catalog.relate.known_digests import KnownDigest
from catalog.relate.related_chains import count_vcpus
from catalog.rows.endorsed_record import REPORTED, EndorsedRecord
from catalog.rows.fields import is_from_igvm
from catalog.store.catalog import Catalog
from catalog.store.endorsements import Endorsements

MinSvn = Mapping[str, int]
"""The least SVN that is accepted, by feed."""


@dataclass(frozen=True, slots=True)
class FoundEndorsement:
    """An endorsement, or for the scheme `reported` a place where the digest was seen.

    revocation: severity and reason, if the log of the catalog revokes or deprecates it.
    refused: why --min-svn refuses it; None if it does not.
    agrees, contradicts: names of the claims that are those of the rows with this digest, and of those that no row has.
    firmware: names of the catalogued builds that it claims, although no row has the digest.
    """

    record: EndorsedRecord
    revocation: tuple[str, str] | None = None
    refused: str | None = None
    agrees: tuple[str, ...] = ()
    contradicts: tuple[str, ...] = ()
    firmware: tuple[str, ...] = ()

    @property
    def severity(self) -> str | None:
        """`revoked` also if it is refused: it counts for nothing then."""
        return "revoked" if self.refused else self.revocation and self.revocation[0]

    @property
    def is_reported(self) -> bool:
        """Whether nobody endorses the digest, and it was only seen in public."""
        return is_reported(self.record)

    def to_dict(self) -> dict[str, Any]:
        """An element of `endorsements` or `reported` in JSON."""
        shown: dict[str, Any] = msgspec.to_builtins(self.record)
        del shown["type"]
        return {
            **shown,
            "agrees": list(self.agrees),
            "contradicts": list(self.contradicts),
            "claimed_firmware": list(self.firmware),
            "refused": self.refused,
            "revocation": self.revocation and dict(zip(("severity", "reason"), self.revocation, strict=True)),
        }


def found_endorsement(
    record: EndorsedRecord, catalog: Catalog, rows: Sequence[Match], min_svn: MinSvn
) -> FoundEndorsement:
    """An endorsement with what speaks for and against it. rows: those of the same digest."""
    status = catalog.endorsements.revocation(record)
    agrees, contradicts = compare_claims(record, rows)
    revocation = (status.severity, status.reason) if status else None
    firmware = () if rows else tuple(_claimed_builds(record, catalog))
    refused = _too_old(record.endorser.feed, record.endorser.svn, min_svn)
    return FoundEndorsement(record, revocation, refused, agrees, contradicts, firmware)


def resting_on_base(row: Match, endorsements: Endorsements, min_svn: MinSvn) -> Match:
    """An inferred row with what speaks against the endorsement of its base: the row rests on that.

    The row is revoked or deprecated if that endorsement is.
    """
    assert row.base is not None, "callers have inferred rows"  # noqa: S101
    found, by = copy(row), row.base["endorser"]
    found.refused = _too_old(by["feed"], by["svn"], min_svn)
    of_base = [one for one in endorsements.of(row.base["launch_digest"]) if msgspec.to_builtins(one.endorser) == by]
    for status in map(endorsements.revocation, of_base):
        if found.revocation is None and status is not None:
            found.revocation = (status.severity, f"{status.reason} (the endorsement of its base)")
    return found


def _claimed_builds(record: EndorsedRecord, catalog: Catalog) -> Iterator[str]:
    """Names of the builds of a catalog with the firmware hashes that are claimed; none if none is."""
    claims = record.claims.given()
    given = {name: claims[f"firmware_{name}"] for name in ("sha256", "sha384") if f"firmware_{name}" in claims}
    for name, build in catalog.builds.items():
        wanted = {"sha256": claims["igvm_sha256"]} if build.is_igvm and "igvm_sha256" in claims else given
        known = {name: getattr(build.component, name) for name in wanted}
        if known and all(value is not None and value.hex() == wanted[name] for name, value in known.items()):
            yield name


def compare_claims(record: EndorsedRecord, matches: Sequence[Match]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names of the claims that a row has too, and of those that no row has although each has another value."""
    agrees, contradicts = [], []
    for name, claimed in record.claims.given().items():
        values = [value for match in matches if (value := _value(match, name)) is not None]
        if claimed in values:
            agrees.append(name)
        elif values and len(values) == len(matches):
            contradicts.append(name)
    return tuple(agrees), tuple(contradicts)


def _value(match: Match, claim: str) -> Any:
    """What a row says about a claim, as it is in JSON; None if it says nothing."""
    if claim == "vcpus":
        return match.row["vcpus"]
    value = None
    from_igvm = is_from_igvm(match.row)
    if claim == "igvm_sha256" and from_igvm:
        value = match.firmware["sha256"]
    elif claim in ("firmware_sha256", "firmware_sha384") and not (match.inferred or from_igvm):
        value = match.firmware[claim.removeprefix("firmware_")]
    elif claim in ("kernel_sha256", "initrd_sha256") and match.kernel_hashes:
        value = match.kernel_hashes[claim]
    return value and value.hex()


def check_feeds(endorsements: Endorsements, min_svn: MinSvn) -> None:
    """Raises UnknownName for a feed that no endorsement has: a misspelt one would refuse nothing."""
    known = {record.endorser.feed for record in endorsements.records} - {None}
    for feed in min_svn:
        if feed not in known:
            raise UnknownName("feed of endorsements", feed, map(str, known))


def _too_old(feed: str | None, svn: int | None, min_svn: MinSvn) -> str | None:
    least = None if feed is None else min_svn.get(feed)
    if least is None or (svn is not None and svn >= least):
        return None
    has = "no SVN" if svn is None else f"SVN {svn}"
    return f"this endorsement of the feed {feed} has {has}, and {least} is the least that --min-svn accepts"


def known_digests(endorsements: Endorsements) -> list[KnownDigest]:
    """The endorsed and reported digests of SEV-SNP, with what is said about them."""
    found = []
    for record in endorsements.records:
        if record.technology == TECHNOLOGY:
            status = endorsements.revocation(record)
            vcpus = record.facts.claims.vcpus
            label = f"seen in {record.origin}" if is_reported(record) else f"endorsed by {endorser(record)}"
            label += "" if vcpus is None else f", for {count_vcpus(vcpus)}"
            label += "" if status is None else f" ({status.severity} by the publisher of the catalog: {status.reason})"
            found.append(KnownDigest(bytes.fromhex(record.launch_digest), label, vcpus))
    return found


def is_reported(record: EndorsedRecord) -> bool:
    """Whether nobody endorses the digest, and it was only seen in public."""
    return record.endorser.scheme == REPORTED


def endorser(record: EndorsedRecord) -> str:
    """Who endorses a digest, for people: id and feed."""
    by = record.endorser
    return f"{by.id}, feed {by.feed}" if by.feed else by.id
