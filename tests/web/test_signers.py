"""Whose signatures count: the browser and the command line give the same verdict for the same notes and policies."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from catalog.build.builder import BuildResult
from catalog.errors import LdcatError
from catalog.log.log_folder import LogFolder
from catalog.pages.page_data import trust_data
from catalog.transparency.keys import SignatureType, Signer, VerifierKey
from catalog.transparency.note import Note, Signature
from catalog.transparency.trust import Trust
from catalog.verify.verify_release import verify_release
from tests.support.browsers import page_of
from tests.support.catalogs import digest_with
from tests.support.hosts import StaticHost
from tests.support.logs import LOG, ORIGIN, PQ_LOG, at_no_time, signature, signer
from tests.support.page_verdicts import conclusion
from tests.support.published_logs import Place
from tests.support.trust_notes import trust_of

W1, W2, DAILY = (signer(f"w{n}.example", SignatureType.COSIGNATURE_ED25519) for n in (1, 2, 3))
W1_PQ = signer("w1.example", SignatureType.COSIGNATURE_ML_DSA_44)
ALIAS = Signer(VerifierKey("a.example", SignatureType.COSIGNATURE_ED25519, LOG.key.public_key), LOG.sign_message)
NAMED = {"w1": W1, "pq": W1_PQ, "w2": W2, "daily": DAILY, "alias": ALIAS}
WITNESSES = "".join(f"witness {name} {by.key}\n" for name, by in NAMED.items())
TWO = "group two 2 w1 pq w2\nquorum two"
NO_ML_DSA = """
const known = crypto.subtle.importKey.bind(crypto.subtle);
crypto.subtle.importKey = (format, ...rest) => format === "raw-public"
  ? Promise.reject(new DOMException("Unrecognized name", "NotSupportedError")) : known(format, ...rest);
"""
DAYS = 86400


@dataclass
class Case:
    """A note of the published checkpoint, and a policy. times: by signer, in seconds from now; None: without a time."""

    said: str
    quorum: str
    times: Sequence[tuple[Signer, int | None]]
    logs: Sequence[Signer] = (LOG, PQ_LOG)
    demands_all: bool = False
    extension: str = ""
    wrong: Signer | None = None

    def note(self, text: str, now: int) -> Note:
        made = [
            at_no_time(by, text) if time is None else signature(by, text, now + time)
            for by, time in [*((by, 0) for by in self.logs), *self.times]
        ]
        return Note(text, tuple(self._spoilt(one) for one in made))

    def _spoilt(self, one: Signature) -> Signature:
        if self.wrong is None or self.wrong.key.key_id != one.key_id:
            return one
        return Signature(one.name, one.key_id, one.value[:-1] + bytes([one.value[-1] ^ 1]))

    def trust(self, now: int) -> Trust:
        policy = f"log {LOG.key}\nlog {PQ_LOG.key}\n{WITNESSES}{self.quorum}\n"
        return trust_of(policy, expires=now + 10**7, max_age=DAYS, demands_all=self.demands_all)


GOOD = "proven: signed by "
STALE = "this checkpoint is stale"
FEW = "lacks the witness quorum"
CASES = {
    "ML-DSA is the only signature of the log": Case(GOOD, "quorum none", (), logs=[PQ_LOG]),
    "ML-DSA is wrong": Case("the signature of example.com/log is not right", "quorum none", (), wrong=PQ_LOG),
    "ML-DSA alone, and wrong": Case("is not right", "quorum none", (), logs=[PQ_LOG], wrong=PQ_LOG),
    "a witness with ML-DSA": Case(GOOD, "quorum pq", [(W1_PQ, 0)]),
    "a witness with ML-DSA, and wrong": Case("of w1.example is not right", "quorum pq", [(W1_PQ, 0)], wrong=W1_PQ),
    "all signatures of the log": Case(GOOD, "quorum none", (), demands_all=True),
    "no Ed25519 where all are demanded": Case("not all keys of", "quorum none", (), [PQ_LOG], demands_all=True),
    "no ML-DSA where all are demanded": Case("not all keys of", "quorum none", (), [LOG], demands_all=True),
    "two of three": Case(GOOD, TWO, [(W1, 0), (W2, 0)]),
    "two keys of one witness": Case(FEW, TWO, [(W1, 0), (W1_PQ, 0)]),
    "a log as its own witness": Case(FEW, "quorum alias", [(ALIAS, 0)]),
    "a cosignature with time 0": Case(GOOD, TWO, [(W1, 0), (W2, 0), (W1_PQ, None)]),
    "a vote with time 0": Case(FEW, TWO, [(W1, 0), (W2, None)]),
    "one of two is old": Case(STALE, TWO, [(W1, 0), (W2, -2 * DAYS)]),
    "a heartbeat outside the quorum": Case(STALE, TWO, [(W1, -2 * DAYS), (W2, -2 * DAYS), (DAILY, 0)]),
    "a heartbeat where there is no quorum": Case(GOOD, "quorum none", [(DAILY, 0)]),
    "a time that is ahead": Case(STALE, TWO, [(W1, 0), (W2, 2 * 3600)]),
    "extension lines": Case(GOOD, "quorum w1", [(W1, 0)], logs=[LOG], extension="more\n"),
    "extension lines that ML-DSA does not cover": Case(
        "lines that not all of its signatures cover", "quorum w1", [(W1, 0)], extension="more\n"
    ),
}


def put(site: Path, folder: Path, case: Case, now: int) -> tuple[Note, Trust]:
    """Puts the note and the policy of a case into the copy of the site."""
    text = Note.parse((site / "checkpoint").read_bytes()).text + case.extension
    note, trust = case.note(text, now), case.trust(now)
    (folder / "checkpoint").write_bytes(bytes(note))
    page = json.loads((site / "page.json").read_bytes()) | {"trust": trust_data(trust)}
    (folder / "page.json").write_text(json.dumps(page))
    return note, trust


@pytest.fixture(scope="module")
def without_ml_dsa(browser: Browser, liar: tuple[Path, StaticHost]) -> Iterator[Page]:
    with page_of(browser) as seen:
        seen.page.add_init_script(NO_ML_DSA)
        seen.page.goto(f"{liar[1].url}index.html")
        yield seen.page


@pytest.fixture(scope="module")
def log(published: Place, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the log whose checkpoint may be changed."""
    return Path(shutil.copytree(published.log, tmp_path_factory.mktemp("signers") / "log"))


@pytest.mark.parametrize("name", CASES)
def test_the_page_accepts_the_same_signers_as_the_command_line(
    loaded: Page,
    site: Path,
    liar: tuple[Path, StaticHost],
    log: Path,
    published: Place,
    small: BuildResult,
    name: str,
) -> None:
    case = CASES[name]
    note, trust = put(site, liar[0], case, published.now)
    assert case.said in conclusion(loaded, digest_with(small, technology="sev-snp"))
    (log / "checkpoint").write_bytes(bytes(note))
    try:
        outcome = verify_release(LogFolder(log), None, trust, now=published.now, seen={}).release.origin
    except LdcatError as error:
        outcome = str(error)
    assert (outcome == ORIGIN) == (case.said == GOOD), outcome


@pytest.mark.parametrize(
    ("case", "message"),
    [
        (Case("", "quorum none", (), logs=[PQ_LOG]), f"cannot verify the ML-DSA-44 signatures of {ORIGIN}"),
        (Case("", "quorum pq", [(W1_PQ, 0)]), f"cannot verify the ML-DSA-44 signatures of {ORIGIN}, w1.example"),
        (Case("", "quorum none", (), demands_all=True), f"cannot verify the ML-DSA-44 signatures of {ORIGIN}"),
        (Case("", "quorum w1", [(W1, 0)]), GOOD),
    ],
)
def test_a_browser_without_ml_dsa_says_so(
    without_ml_dsa: Page,
    site: Path,
    liar: tuple[Path, StaticHost],
    published: Place,
    small: BuildResult,
    case: Case,
    message: str,
) -> None:
    put(site, liar[0], case, published.now)
    assert message in conclusion(without_ml_dsa, digest_with(small, technology="sev-snp"))
