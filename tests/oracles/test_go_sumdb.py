"""Against Go's golang.org/x/mod/sumdb: each accepts what the other publishes and proves, and both refuse each change;
and where its rules differ from those of C2SP.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from typing import Any

import pytest

from catalog.build.builder import BuildResult
from catalog.errors import LdcatError, MalformedInput
from catalog.log.log_folder import LastCheckpoint, LogFolder
from catalog.log.records import RevokeRecord
from catalog.prove.proof_bundle import ProofBundle
from catalog.prove.prove import Prover
from catalog.publish.publish import publish
from catalog.store.catalog import Catalog
from catalog.transparency import merkle
from catalog.transparency.checkpoint import Checkpoint
from catalog.transparency.encoding import to_base64
from catalog.transparency.keys import SignatureType, VerifierKey
from catalog.transparency.note import Note
from catalog.transparency.tiles import TileReader
from catalog.values import replace
from tests.oracles.sumdb import Sumdb, sumdb
from tests.support.catalogs import build
from tests.support.logs import LOG, NOW, ORIGIN, MemoryLog, new_files, signature, signed, signer
from tests.support.samples import SMALL, write_inputs, write_spec

__all__ = ["sumdb"]

POST_QUANTUM = signer(ORIGIN, SignatureType.COSIGNATURE_ML_DSA_44)
WITNESS = signer("w.example", SignatureType.COSIGNATURE_ED25519)
KEYS = [str(LOG.key), str(WITNESS.key)]
SIZES = [1, 2, 3, 4, 5, 6, 7, 8, 9, 15, 16, 17, 31, 33, 255, 256, 257, 511, 513, 600]
LEAVES = [f"leaf {n}".encode() for n in range(SIZES[-1])]

Question = dict[str, Any]


@pytest.fixture(scope="module")
def log(small: BuildResult, tmp_path_factory: pytest.TempPathFactory) -> tuple[LogFolder, list[Checkpoint]]:
    """A log of three releases, and the checkpoint of each."""
    folder = tmp_path_factory.mktemp("log")
    write_inputs(folder / "inputs")
    fewer = build(write_spec(folder / "inputs", SMALL.split("[technologies.sev-es]")[0]), folder / "catalog")
    revoke = RevokeRecord(type="revoke", selector={"vcpus": 2}, severity="revoked", reason="a test")
    found, state = LogFolder(folder / "log"), LastCheckpoint(folder / "signed.note")
    checkpoints = [
        publish(Catalog.open(catalog.folder), found, [LOG, POST_QUANTUM], state, revokes=revokes, now=NOW).checkpoint
        for catalog, revokes in ((fewer, ()), (small, ()), (small, (revoke,)))
    ]
    return found, checkpoints


@pytest.fixture(scope="module")
def bundles(log: tuple[LogFolder, list[Checkpoint]]) -> list[ProofBundle]:
    """Proof bundles of every row."""
    folder, checkpoints = log
    found = [Prover(folder).prove(leaf) for leaf in entries(folder, checkpoints[-1].size) if b'"digest"' in leaf]
    assert len(found) > 40
    return [bundle for bundle in found if bundle is not None]


def entries(folder: LogFolder, size: int) -> list[bytes]:
    reader = TileReader(folder, size)
    return [leaf for number in range(-(-size // 256)) for leaf in reader.entries(number)]


def cosigned(folder: LogFolder) -> Note:
    note = folder.checkpoint()
    assert note is not None
    return note.with_signatures([signature(WITNESS, note.text)])


def opened(note: bytes, *keys: str) -> Question:
    return {"op": "open", "note": note, "keys": list(keys or KEYS)}


def ours_accepts(question: Question) -> bool:
    """Our answer to a question that Go is asked."""
    try:
        if question["op"] == "open":
            Note.parse(question["note"]).verify([VerifierKey.parse(key) for key in question["keys"]])
        elif question["op"] == "inclusion":
            leaf = merkle.leaf_hash(question["leaf"])
            proof, root = question["hashes"], question["root"]
            merkle.verify_inclusion(leaf, question["index"], question["size"], proof, root)
        else:
            old, new = question["old_size"], question["size"]
            merkle.verify_consistency(old, new, question["hashes"], question["old_root"], question["root"])
    except LdcatError:
        return False
    return True


# What ldcat makes.


def test_a_published_checkpoint_is_accepted(sumdb: Sumdb, log: tuple[LogFolder, list[Checkpoint]]) -> None:
    folder, checkpoints = log
    note = cosigned(folder)
    (answer,) = sumdb.ask([opened(bytes(note))])
    assert (answer["error"], answer["text"], answer["signers"]) == ("", note.text, [ORIGIN, "w.example"])
    assert (answer["size"], answer["root"]) == (checkpoints[-1].size, checkpoints[-1].root)


def test_a_changed_checkpoint_is_refused_by_both(sumdb: Sumdb, log: tuple[LogFolder, list[Checkpoint]]) -> None:
    data = bytes(signed(str(log[1][-1]), LOG))
    other = signer(ORIGIN, seed=1).key
    changed = [data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1 :] for at in range(len(data)) for bit in range(8)]
    questions = [opened(data, str(LOG.key)), opened(data, str(other)), opened(data, str(WITNESS.key))]
    questions += [opened(each, str(LOG.key)) for each in changed]
    accepted = sumdb.accepts(questions)
    assert accepted[:3] == [True, False, False]
    for question, theirs in zip(questions[3:], accepted[3:], strict=True):
        assert not ours_accepts(question)
        assert not theirs or same_but_for_slack(question["note"], data)


def same_but_for_slack(changed: bytes, data: bytes) -> bool:
    """Whether the only changed bits are unused padding bits of base64."""
    was, now = (base64.b64decode(note.rpartition(b" ")[2]) for note in (data, changed))
    return changed.startswith(data[:-4]) and was == now


def test_inclusion_proofs_of_every_row_are_accepted(sumdb: Sumdb, bundles: list[ProofBundle]) -> None:
    found = [(bundle.checkpoint, proof) for bundle in bundles for proof in (bundle.row, bundle.status)]
    heads = sumdb.ask(opened(bytes(note), str(LOG.key)) for note, _ in found)
    questions = [
        {"op": "inclusion", "hashes": list(proof.hashes), "index": proof.index, "leaf": proof.extra}
        | {name: head[name] for name in ("size", "root")}
        for (_, proof), head in zip(found, heads, strict=True)
    ]
    assert sumdb.accepts(questions) == [True] * len(questions)


def test_a_changed_inclusion_proof_is_refused_by_both(sumdb: Sumdb, bundles: list[ProofBundle]) -> None:
    for proof in (bundles[5].row, bundles[5].status):
        checkpoint = Checkpoint.parse(bundles[5].checkpoint.text)
        good = {"op": "inclusion", "hashes": list(proof.hashes), "index": proof.index, "leaf": proof.extra}
        good |= {"size": checkpoint.size, "root": checkpoint.root}
        questions = [good, *changes(good, "index", "size")]
        accepted = sumdb.accepts(questions)
        assert accepted == [ours_accepts(question) for question in questions]
        assert accepted[0]
        for question, yes in zip(questions, accepted, strict=True):
            # The path of a leaf is the same in trees of several sizes; the signature states the size.
            assert not yes or question == good | {"size": question["size"]}


def test_consistency_proofs_between_releases_are_accepted(
    sumdb: Sumdb, log: tuple[LogFolder, list[Checkpoint]]
) -> None:
    folder, checkpoints = log
    questions = []
    for n, new in enumerate(checkpoints):
        for old in checkpoints[: n + 1]:
            proof = merkle.consistency_proof(old.size, new.size, TileReader(folder, new.size).node)
            question = {"op": "consistency", "hashes": proof, "size": new.size, "root": new.root}
            questions.append(question | {"old_size": old.size, "old_root": old.root})
    assert sumdb.accepts(questions) == [True] * 6
    changed = [each for question in questions for each in changes(question, "old_size", "size")]
    accepted = sumdb.accepts(changed)
    assert accepted == [ours_accepts(question) for question in changed]
    hashes = [(question["hashes"], question["root"], question["old_root"]) for question in questions]
    for question, yes in zip(changed, accepted, strict=True):  # sizes, as above
        assert not yes or (question["hashes"], question["root"], question["old_root"]) in hashes


def test_every_pair_of_sizes_is_consistent(sumdb: Sumdb) -> None:
    node = written(LEAVES).reader.node
    roots = {size: merkle.root_hash(size, node) for size in range(1, SIZES[-1] + 1)}
    questions = []
    for new in SIZES:
        for old in range(1, new + 1):
            proof = merkle.consistency_proof(old, new, node)
            question = {"op": "consistency", "hashes": proof, "size": new, "root": roots[new]}
            questions.append(question | {"old_size": old, "old_root": roots[old]})
    assert sumdb.accepts(questions) == [True] * len(questions)


def test_entries_give_the_root(sumdb: Sumdb, log: tuple[LogFolder, list[Checkpoint]]) -> None:
    folder, checkpoints = log
    leaves = entries(folder, checkpoints[-1].size)
    questions = [{"op": "prove-inclusion", "leaves": leaves, "size": each.size, "index": 0} for each in checkpoints]
    assert [answer["root"] for answer in sumdb.ask(questions)] == [each.root for each in checkpoints]


def test_tiles_are_read(sumdb: Sumdb, log: tuple[LogFolder, list[Checkpoint]]) -> None:
    folder, checkpoints = log
    found = checkpoints[-1]
    question = {"op": "read-tiles", "folder": str(folder.root), "size": found.size, "root": found.root}
    node = TileReader(folder, found.size).node
    answers = sumdb.ask(question | {"index": index} for index in range(found.size))
    for index, answer in enumerate(answers):
        assert (answer["error"], answer["root"]) == ("", found.root)
        assert answer["hashes"] == merkle.inclusion_proof(index, found.size, node)
    (answer,) = sumdb.ask([question | {"root": bytes(32)}])
    assert answer["error"]


# What Go makes.


def written(leaves: list[bytes]) -> MemoryLog:
    memory = MemoryLog()
    memory.append(leaves)
    return memory


def test_its_proofs_match_ours(sumdb: Sumdb) -> None:
    node = written(LEAVES[:33]).reader.node
    for size in (1, 2, 7, 8, 33):
        root = merkle.root_hash(size, node)
        base = {"leaves": LEAVES[:size], "size": size}
        answers = sumdb.ask(base | {"op": "prove-inclusion", "index": index} for index in range(size))
        for index, answer in enumerate(answers):
            assert (answer["root"], answer["hashes"]) == (root, merkle.inclusion_proof(index, size, node))
            merkle.verify_inclusion(merkle.leaf_hash(LEAVES[index]), index, size, answer["hashes"], root)
        answers = sumdb.ask(base | {"op": "prove-consistency", "old_size": old} for old in range(1, size + 1))
        for old, answer in enumerate(answers, 1):
            assert answer["hashes"] == merkle.consistency_proof(old, size, node)
            merkle.verify_consistency(old, size, answer["hashes"], merkle.root_hash(old, node), root)


@pytest.mark.parametrize(("old", "new"), [(0, 1), (0, 255), (0, 256), (255, 257), (256, 513), (300, 600), (511, 512)])
def test_its_tiles_match_ours(sumdb: Sumdb, old: int, new: int) -> None:
    (answer,) = sumdb.ask([{"op": "tiles", "leaves": LEAVES[:new], "old_size": old}])
    files = new_files(old, LEAVES[old:new], TileReader(written(LEAVES[:old]), old))
    made = {path: data for path, data in files if not path.startswith("tile/entries")}
    assert made.items() <= answer["tiles"].items()
    assert all(".p/" in path for path in answer["tiles"].keys() - made.keys())  # sizes in between


def test_its_signed_tree_head_is_accepted(sumdb: Sumdb) -> None:
    secret, key = go_secret("go.example/log")
    (answer,) = sumdb.ask([{"op": "sign", "secret": secret, "text": "go.example/log", "leaves": LEAVES}])
    note = Note.parse(answer["note"])
    assert [found.key for found in note.verify([key])] == [key]
    assert Checkpoint.parse(note.text) == written(LEAVES).checkpoint("go.example/log")
    with pytest.raises(LdcatError):
        note.verify([LOG.key])
    with pytest.raises(LdcatError):
        replace(note, text=note.text.replace("600", "601")).verify([key])


def test_its_signed_notes_are_accepted(sumdb: Sumdb) -> None:
    secret, key = go_secret("go.example/key")
    for text in ("ein Text\n\nmit leerer Zeile\n", "\n", "\N{SNOWMAN}\n— a b\n"):
        (answer,) = sumdb.ask([{"op": "sign", "secret": secret, "text": text}])
        note = Note.parse(answer["note"])
        assert (note.text, len(note.verify([key]))) == (text, 1)


def go_secret(name: str) -> tuple[str, VerifierKey]:
    """A key of the tests in Go's format."""
    key = signer(name).key
    seed = hashlib.sha256(f"{name} 0".encode()).digest()
    encoded = to_base64(bytes([key.type]) + seed)
    return f"PRIVATE+KEY+{name}+{key.key_id.hex()}+{encoded}", key


# Where sumdb's rules differ from those of C2SP.


def test_it_accepts_notes_that_c2sp_refuses(sumdb: Sumdb) -> None:
    """Two forms of base64, two signatures by one key, of which it reads the first, and key ids in capitals."""
    data = bytes(signed("example.com/log\n1\n" + to_base64(bytes(32)) + "\n", LOG))
    line = data.rpartition(b"\n\n")[2]
    capitals = "+".join(part.upper() if n == 1 else part for n, part in enumerate(str(LOG.key).split("+")))
    questions = [
        opened(data[:-3] + bytes([data[-3] + 1]) + data[-2:], str(LOG.key)),
        opened(data + line, str(LOG.key)),
        opened(data + line.replace(line[-40:-30], b"A" * 10), str(LOG.key)),
        opened(data, capitals),
    ]
    assert sumdb.accepts(questions) == [True] * len(questions)
    assert not any(map(ours_accepts, questions))


def test_it_refuses_notes_that_c2sp_accepts(sumdb: Sumdb) -> None:
    """ML-DSA-44 keys, and more than 100 signatures."""
    note = signed("example.com/log\n1\n" + to_base64(bytes(32)) + "\n", LOG, POST_QUANTUM)
    crowd = [signer(f"crowd.example/{n}") for n in range(100)]
    questions = [
        opened(bytes(note), str(POST_QUANTUM.key)),
        opened(bytes(signed(note.text, LOG, *crowd)), str(LOG.key)),
    ]
    assert sumdb.accepts(questions) == [False, False]
    assert all(map(ours_accepts, questions))


def test_an_empty_tree_may_have_any_root(sumdb: Sumdb) -> None:
    """Its own has zeros, while RFC 6962 specifies the hash of the empty string."""
    (answer,) = sumdb.ask([opened(bytes(signed(f"{ORIGIN}\n0\n{to_base64(bytes(32))}\n", LOG)))])
    assert (answer["error"], answer["size"], answer["root"]) == ("", 0, bytes(32))
    with pytest.raises(MalformedInput, match="must be the empty-tree hash"):
        Checkpoint.parse(answer["text"])


def test_it_accepts_log_names_that_c2sp_refuses(sumdb: Sumdb) -> None:
    """A name with spaces: it is a valid note, but no valid checkpoint."""
    secret, key = go_secret("sum.example.org")
    (answer,) = sumdb.ask([{"op": "sign", "secret": secret, "text": "go.sum database tree", "leaves": LEAVES[:9]}])
    note = Note.parse(answer["note"])
    assert len(note.verify([key])) == 1
    with pytest.raises(MalformedInput, match="not a valid log name"):
        Checkpoint.parse(note.text)


def changes(good: Question, *numbers: str) -> Iterator[Question]:
    """Changes each bit of each hash and of the leaf, each number, and the order and number of hashes."""
    proof = good["hashes"]
    for name in ("root", "old_root", "leaf"):
        for value in flipped(good.get(name, b"")):
            yield good | {name: value}
    for at, hashed in enumerate(proof):
        for value in flipped(hashed):
            yield good | {"hashes": [*proof[:at], value, *proof[at + 1 :]]}
    for name in numbers:
        for value in {0, *range(max(good[name] - 70, 0), good[name] + 70), -1, 1 << 40} - {good[name]}:
            yield good | {name: value}
    for at in range(len(proof)):
        yield good | {"hashes": proof[:at] + proof[at + 1 :]}
        yield good | {"hashes": [*proof[:at], proof[at], *proof[at:]]}
        if at:
            yield good | {"hashes": [*proof[: at - 1], proof[at], proof[at - 1], *proof[at + 1 :]]}
    yield good | {"hashes": [*proof, bytes(32)]}
    yield good | {"hashes": [value[:31] for value in proof] or [b""]}


def flipped(value: bytes) -> Iterator[bytes]:
    for bit in range(8 * len(value)):
        yield (int.from_bytes(value, "big") ^ 1 << bit).to_bytes(len(value), "big")
