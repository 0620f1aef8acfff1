"""How long it takes to publish rows, to prove one of them, and to verify the proof."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from catalog.log.log_folder import LogFolder
from catalog.prove.proof_bundle import ProofBundle
from catalog.prove.prove import Prover
from catalog.prove.verdict import Outcome
from catalog.prove.verify_proof import verify_bundle
from catalog.publish.key_files import KeyPair, new_key, write_keys
from catalog.transparency.checkpoint import Checkpoint
from catalog.transparency.keys import SignatureType
from catalog.transparency.note import Note, Signature
from catalog.transparency.proof import TlogProof
from catalog.transparency.tiles import WIDTH, TileReader
from catalog.transparency.trust import Trust
from catalog.values import replace
from tools.bench.builds import built, whole_command
from tools.bench.catalogs import Catalogs

MOST_ROWS = 1_000_000
ORIGIN = "example.com/launch-digests"
LOG = (SignatureType.ED25519, SignatureType.COSIGNATURE_ML_DSA_44)
WITNESS = (SignatureType.COSIGNATURE_ED25519, SignatureType.COSIGNATURE_ML_DSA_44)
PROOFS = 200


@dataclass(frozen=True)
class Published:
    """A release as a command of its own. rows: new ones. peak: bytes of memory."""

    rows: int
    seconds: float
    peak: int


@dataclass(frozen=True)
class Log:
    """releases: one after the other; the rest is of the first. size: bytes of its tiles and entries; files: how many.

    made: median milliseconds from an unopened log to a bundle. verified: by algorithm, of a bundle that two witnesses
    cosigned. proof: bytes of the proof of a row by algorithm, as a text of tlog-proof, of the longest one.
    """

    releases: list[Published]
    size: int
    files: int
    made: float
    verified: dict[str, float]
    proof: dict[str, int]


def log_lines(catalogs: Catalogs) -> list[str]:
    """Of a log of its own, as Markdown."""
    with catalogs.scratch() as folder:
        return _lines(_figures(folder, min(catalogs.rows, MOST_ROWS)))


def _figures(folder: Path, rows: int) -> Log:
    """Two catalogs, the second with a tenth more rows, published one after the other in `folder`."""
    keys = [new_key(ORIGIN, kind) for kind in LOG]
    write_keys(folder / "key", keys, None)
    first = _published(folder, "first", rows, 0)
    log = LogFolder(folder / "log")
    made, bundles = _proofs(log)
    tiles = [path for path in (log.root / "tile").rglob("*") if path.is_file()]
    size = sum(path.stat().st_size for path in tiles)
    verified, sizes = {}, {}
    for name, kinds in (("Ed25519", 1), ("hybrid", 2)):
        witnesses = [new_key(f"witness.example/{n}", kind) for n in (1, 2) for kind in WITNESS[:kinds]]
        trust = _trust(keys[:kinds], witnesses)
        cosigned = [_cosigned(bundle, keys[:kinds], witnesses) for bundle in bundles]
        verified[name] = _verified(cosigned, trust)
        sizes[name] = max(len(bytes(TlogProof(bundle.row, bundle.checkpoint))) for bundle in cosigned)
    releases = [first, _published(folder, "second", rows + rows // 10, first.rows)]
    return Log(releases, size, len(tiles), made, verified, sizes)


def _published(folder: Path, name: str, rows: int, before: int) -> Published:
    build = built(folder / name, rows)
    command = ("publish", str(folder / name), "--log", str(folder / "log"), "--key", str(folder / "key"), "--quiet")
    return Published(build.rows - before, *whole_command(*command)[:2])


def _lines(found: Log) -> list[str]:
    mib = 1 << 20
    return [
        "| `ldcat publish`, whole command | new rows | seconds | peak memory |",
        "|---|---|---|---|",
        *(
            f"| release {number} | {each.rows:,} | {each.seconds:.1f} | {each.peak / mib:,.0f} MiB |"
            for number, each in enumerate(found.releases, 1)
        ),
        "",
        f"Release 1 is {found.size / 1e6:,.0f} MB of tiles and entries in {found.files:,} files, without its catalog.",
        "The proofs are for its rows.",
        "",
        "| in process, with two witnesses | Ed25519 | hybrid |",
        "|---|---|---|",
        f"| bundle made, from an unopened log, median ms | {found.made:.1f} | {found.made:.1f} |",
        "| bundle verified, median ms | " + " | ".join(f"{ms:.2f}" for ms in found.verified.values()) + " |",
        "| proof of a row, bytes | " + " | ".join(f"{size:,}" for size in found.proof.values()) + " |",
    ]


def _proofs(log: LogFolder) -> tuple[float, list[ProofBundle]]:
    """Of random rows: median milliseconds, and what was made."""
    note = log.checkpoint()
    assert note is not None, "it was published"  # noqa: S101
    size = Checkpoint.parse(note.text).size
    reader = TileReader(log, size)
    chosen = random.Random(0).sample(range(size), PROOFS)
    leaves = [leaf for leaf in (reader.entries(n // WIDTH)[n % WIDTH] for n in chosen) if b'"digest"' in leaf]
    taken, found = [], []
    for leaf in leaves:
        started = time.perf_counter()
        bundle = Prover(log).prove(leaf)
        taken.append(1000 * (time.perf_counter() - started))
        assert bundle is not None, "the log has it"  # noqa: S101
        found.append(bundle)
    return median(taken), found


def _trust(keys: Sequence[KeyPair], witnesses: Sequence[KeyPair]) -> Trust:
    """Whoever checks wants every key of the log and all witnesses."""
    logs = "".join(f"log {pair.key}\n" for pair in keys)
    named = "".join(f"witness w{number} {pair.key}\n" for number, pair in enumerate(witnesses))
    members = " ".join(f"w{number}" for number in range(len(witnesses)))
    root = new_key("root.example", SignatureType.ED25519).key
    head = f"version 1\nexpires {int(time.time()) + 9999}\nmax-age 9999\nthreshold 1\nroot a {root}\n"
    return Trust.parse(f"{head}\n{logs}{named}group every all {members}\nquorum every\n")


def _cosigned(bundle: ProofBundle, keys: Sequence[KeyPair], witnesses: Sequence[KeyPair]) -> ProofBundle:
    """With the signatures of those keys of the log alone, and of the witnesses."""
    note, now = bundle.checkpoint, int(time.time())
    ids = [pair.key.key_id for pair in keys]
    kept = Note(note.text, tuple(signature for signature in note.signatures if signature.key_id in ids))
    made = (Signature(p.key.name, p.key.key_id, p.signer.sign(note.text, now)) for p in witnesses)
    return replace(bundle, checkpoint=kept.with_signatures(made))


def _verified(bundles: Sequence[ProofBundle], trust: Trust) -> float:
    taken = []
    for bundle in bundles:
        data = bytes(bundle)
        started = time.perf_counter()
        verdict = verify_bundle(data, trust, now=int(time.time()), seen={}, digest=None)
        taken.append(1000 * (time.perf_counter() - started))
        assert verdict.outcome is Outcome.MATCH, verdict.why  # noqa: S101
    return median(taken)
