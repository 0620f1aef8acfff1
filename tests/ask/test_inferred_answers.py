"""Answers about rows that follow from a base: they rest on the endorsement of its digest."""

from __future__ import annotations

import pytest

from catalog.abi.digest import LaunchDigest
from catalog.ask.answer import Answer
from catalog.ask.answer_text import told
from catalog.ask.answering import answer
from catalog.ask.verification import VerificationInputs
from catalog.build.builder import BuildResult
from catalog.evidence.evidence import Evidence
from catalog.launch.hashing.backends import choose
from catalog.log.records import Severity
from catalog.log.revocation_list import Revocation
from catalog.log.revocations import Revocations
from catalog.store.catalog import Catalog
from catalog.store.endorsements import Endorsements
from tests.support.attestation_builder import NOW
from tests.support.catalogs import build
from tests.support.partly_known import BASE, BASE_IMAGE, BASE_RECORD, BASE_VCPUS, digest, write_partly_known

ENDORSER = 'endorser = { scheme = "contrast", id = "https://contrast.example/v1", feed = "a feed", svn = 3 }'
FOLDED = digest(BASE_IMAGE, BASE_VCPUS + 1)


@pytest.fixture(scope="module")
def endorsed(tmp_path_factory: pytest.TempPathFactory) -> BuildResult:
    """A catalog with a base that is endorsed as well."""
    folder = tmp_path_factory.mktemp("endorsed-base")
    spec = write_partly_known(folder)
    head, base = BASE_RECORD.split("[[base]]")
    was = next(line for line in base.splitlines() if line.startswith("endorser"))
    listed = f'[[endorsed]]\nlaunch_digest = "{BASE}"\ntechnology = "sev-snp"\n{ENDORSER}\n\n'
    text = (
        head.replace('contrast"\nchecked', 'published-list"\nchecked')
        + listed
        + f"[[base]]{base}".replace(was, ENDORSER)
    )
    (folder / "imports/contrast.toml").write_text(text.replace('scheme = "contrast"', 'scheme = "published-list"'))
    return build(spec, folder / "catalog")


def ask(catalog: Catalog, min_svn: int | None = None) -> Answer:
    proofs = VerificationInputs(now=NOW, min_svn={} if min_svn is None else {"a feed": min_svn})
    evidence = Evidence("launch digest", LaunchDigest.parse(FOLDED))
    return answer(catalog, evidence, proofs, choose(), warn=pytest.fail, tried=lambda _: None)


def notes(reply: Answer) -> tuple[str, ...]:
    (part,) = told(reply, NOW)
    return tuple(note.text for note in part.notes)


@pytest.mark.parametrize(("least", "code"), [(None, 10), (3, 10), (4, 7)])
def test_min_svn_refuses_what_follows_from_an_old_endorsement(endorsed: BuildResult, least: int, code: int) -> None:
    reply = ask(Catalog.open(endorsed.folder), least)
    assert reply.exit_code == code
    (row,) = reply.to_dict()["inferred"]
    why = "this endorsement of the feed a feed has SVN 3, and 4 is the least that --min-svn accepts"
    assert row["refused"] == (why if code == 7 else None)
    assert (f"refused: {why}" in notes(reply)) == (code == 7)


@pytest.mark.parametrize(
    ("selector", "severity", "code"),
    [
        ({"endorser_feed": "a feed"}, "revoked", 7),
        ({"endorser_feed": "a feed"}, "deprecated", 10),
        ({"endorser_feed": "another"}, "revoked", 10),
        ({"launch_digest": BASE}, "revoked", 7),
    ],
)
def test_what_follows_from_a_revoked_endorsement_is_revoked(
    endorsed: BuildResult, selector: dict[str, str | int | None], severity: Severity, code: int
) -> None:
    catalog = Catalog.open(endorsed.folder)
    found = Revocations([Revocation(selector=selector, severity=severity, reason="a leak")])
    catalog.__dict__["endorsements"] = Endorsements(catalog.endorsements.records, found)
    reply = ask(catalog)
    assert reply.exit_code == code
    (row,) = reply.to_dict()["inferred"]
    says = {"severity": severity, "reason": "a leak (the endorsement of its base)"}
    assert row["revocation"] == (None if "another" in selector.values() else says)
    assert len(notes(reply)) == (1 if "another" in selector.values() else 2)
