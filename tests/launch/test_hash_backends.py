"""The compiled hashing code: every implementation available here, against hashlib and hmac on random input."""

from __future__ import annotations

import hashlib
import hmac
import importlib.util
import random
import sys
from collections.abc import Sequence

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from catalog.abi.digest import LaunchDigest
from catalog.abi.launch_measure import MeasureContext, launch_measurement
from catalog.abi.sha256 import Sha256State
from catalog.errors import MalformedInput, UsageError
from catalog.launch.hashing import backends, compiled
from catalog.launch.hashing.backends import (
    FASTEST,
    PYTHON,
    REFERENCE,
    HashBackend,
    choose,
    sha256_implementations,
    sha384_implementations,
)
from catalog.launch.measure_scan import scan_launch_measure

SHA256 = [name for name in sha256_implementations() if name != PYTHON]
SHA384 = [name for name in sha384_implementations() if name != PYTHON]
COUNTS = st.lists(st.integers(1, 12), min_size=1, max_size=5, unique=True).map(sorted)
LANES = st.integers(1, 70)
"""Numbers of chains: up to more than the 48 lanes of the widest implementation."""


def by_hashlib_256(prefix: bytes, bsp: bytes, ap: bytes, counts: Sequence[int]) -> bytes:
    return b"".join(hashlib.sha256(prefix + bsp + ap * (count - 1)).digest() for count in counts)


def by_hashlib_384(digest: bytes, bsp: bytes, ap: bytes, counts: Sequence[int]) -> bytes:
    made = []
    for vcpu in range(1, counts[-1] + 1):
        digest = hashlib.sha384(digest + (bsp if vcpu == 1 else ap)).digest()
        made.append(digest)
    return b"".join(made[count - 1] for count in counts)


def vmsa_like(source: random.Random) -> bytes:
    """A page that ends with zeros, as a VMSA does; how many is random."""
    return source.randbytes(source.randrange(4097)).ljust(4096, b"\0")


@pytest.mark.no_cover
@pytest.mark.parametrize("name", SHA256)
@given(lanes=LANES, carried=st.integers(0, 63), vmsas=st.integers(1, 6), counts=COUNTS, seed=st.integers(0, 2**32))
@example(lanes=33, carried=48, vmsas=1, counts=[1, 2, 3], seed=0)
@example(lanes=70, carried=0, vmsas=70, counts=[1, 2, 3, 4], seed=0)
@example(lanes=1, carried=55, vmsas=1, counts=[2], seed=0)
@example(lanes=1, carried=56, vmsas=1, counts=[2], seed=0)
def test_sha256_chains_match_hashlib(
    name: str, lanes: int, carried: int, vmsas: int, counts: list[int], seed: int
) -> None:
    """Each chain has one of a few VMSAs, and the most usual number of carried bytes or any other."""
    source = random.Random(seed)
    some = [vmsa_like(source) for _ in range(vmsas)]
    bsp, ap = ([source.choice(some) for _ in range(lanes)] for _ in range(2))
    sizes = [source.choice([carried, carried, source.randrange(64)]) for _ in range(lanes)]
    prefixes = [source.randbytes(64 * source.randrange(3) + size) for size in sizes]
    states = [Sha256State().update(prefix) for prefix in prefixes]
    expected = b"".join(map(by_hashlib_256, prefixes, bsp, ap, [counts] * lanes))
    assert compiled.sha256_chains(name, states, bsp, ap, counts) == expected


@pytest.mark.parametrize("name", SHA256)
def test_the_padding_holds_the_length_of_a_large_message(name: str) -> None:
    """Lengths of 2**29 bytes and more reach the upper word of the length in the padding."""
    state, page = Sha256State(bytes(32), b"", 1 << 40), bytes(4096)
    (expected,) = {bytes(state.update(page).digest())}
    assert compiled.sha256_chains(name, [state], [page], [page], [1]) == expected


@pytest.mark.parametrize("name", SHA256)
@given(pages=st.integers(0, 70), seed=st.integers(0, 2**32))
def test_sha256_pages_match_hashlib(name: str, pages: int, seed: int) -> None:
    data = random.Random(seed).randbytes(4096 * pages)
    expected = b"".join(hashlib.sha256(data[at : at + 4096]).digest() for at in range(0, len(data), 4096))
    assert compiled.sha256_pages(name, data) == expected


@pytest.mark.parametrize("name", SHA384)
@given(lanes=LANES, counts=COUNTS, seed=st.integers(0, 2**32))
@example(lanes=17, counts=[1, 2, 3], seed=0)
def test_sha384_chains_match_hashlib(name: str, lanes: int, counts: list[int], seed: int) -> None:
    source = random.Random(seed)
    digests = [source.randbytes(48) for _ in range(lanes)]
    bsp, ap = ([source.randbytes(64) for _ in range(lanes)] for _ in range(2))
    expected = b"".join(map(by_hashlib_384, digests, bsp, ap, [counts] * lanes))
    assert compiled.sha384_chains(name, digests, bsp, ap, counts) == expected


@pytest.mark.parametrize("name", [*SHA256, PYTHON])
@given(
    candidates=st.integers(0, 70),
    wanted=st.integers(0, 80),
    tik=st.binary(min_size=16, max_size=16),
    policy=st.integers(0, 0xFFFFFFFF),
    seed=st.integers(0, 2**32),
)
def test_a_scan_matches_hmac(name: str, candidates: int, wanted: int, tik: bytes, policy: int, seed: int) -> None:
    source = random.Random(seed)
    context = MeasureContext(1, 55, 0xFF, policy, source.randbytes(16))
    digests = [source.randbytes(32) for _ in range(candidates)]
    if digests and wanted < candidates:
        digests[source.randrange(candidates)] = digests[wanted]  # the same digest may occur twice
    chosen = digests[wanted] if wanted < candidates else bytes(32)
    message = b"\x04\x01\x37\xff" + policy.to_bytes(4, "little") + chosen + context.nonce
    measurement = hmac.digest(tik, message, hashlib.sha256)
    expected = [number for number, digest in enumerate(digests) if digest == chosen]
    assert scan_launch_measure(tik, context, measurement, b"".join(digests), HashBackend(name, PYTHON)) == expected
    assert launch_measurement(tik, context, LaunchDigest(chosen)) == measurement


@pytest.mark.parametrize("name", SHA256)
def test_a_scan_returns_every_hit(name: str) -> None:
    context = MeasureContext(0, 0, 0, 0, bytes(16))
    measurement = launch_measurement(bytes(16), context, LaunchDigest(bytes(32)))
    found = scan_launch_measure(bytes(16), context, measurement, bytes(32 * 1500), HashBackend(name, PYTHON))
    assert found == list(range(1500))


@pytest.mark.parametrize(
    ("tik", "measurement", "candidates", "message"),
    [
        (b"secret", bytes(32), bytes(32), "a TIK has 16 bytes, not 6"),
        (bytes(16), bytes(31), bytes(32), "does not have 32 bytes"),
        (bytes(16), bytes(32), bytes(33), "does not have 32 bytes"),
    ],
)
def test_a_scan_refuses_parts_of_a_wrong_length(
    tik: bytes, measurement: bytes, candidates: bytes, message: str
) -> None:
    with pytest.raises(MalformedInput, match=message):
        scan_launch_measure(tik, MeasureContext(0, 0, 0, 0, bytes(16)), measurement, candidates, choose())


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ((256, 0, 0, 0, bytes(16)), "not between 0 and 255"),
        ((0, 0, -1, 0, bytes(16)), "not between 0 and 255"),
        ((0, 0, 0, 1 << 32, bytes(16)), "not a 32-bit guest policy"),
        ((0, 0, 0, 0, bytes(15)), "nonce of 16 bytes, not 15"),
    ],
)
def test_fields_of_a_launch_measurement_are_range_checked(
    fields: tuple[int, int, int, int, bytes], message: str
) -> None:
    with pytest.raises(MalformedInput, match=message):
        MeasureContext(*fields)


def test_an_snp_digest_has_no_launch_measurement() -> None:
    with pytest.raises(MalformedInput, match="needs a 32-byte digest"):
        launch_measurement(bytes(16), MeasureContext(0, 0, 0, 0, bytes(16)), LaunchDigest(bytes(48)))


@pytest.mark.parametrize("counts", [[], [0, 1], [2, 2], [3, 1]])
def test_counts_that_do_not_ascend_are_refused(counts: list[int]) -> None:
    with pytest.raises(ValueError, match="ascend"):
        compiled.sha256_chains("portable", [Sha256State()], [bytes(4096)], [bytes(4096)], counts)


def test_parts_of_a_wrong_length_are_refused() -> None:
    page, tail, counts = bytes(4096), bytes(64), [1]
    with pytest.raises(ValueError, match="one length"):
        compiled.sha256_chains("portable", [Sha256State()], [page], [tail], counts)
    with pytest.raises(ValueError, match="wrong length"):
        compiled.sha256_chains("portable", [Sha256State()], [tail], [tail], counts)
    with pytest.raises(ValueError, match="wrong length"):
        compiled.sha256_chains("portable", [Sha256State()] * 2, [page], [page], counts)
    with pytest.raises(ValueError, match="one length"):
        compiled.sha384_chains("portable", [bytes(48)], [tail], [bytes(63)], counts)
    with pytest.raises(ValueError, match="wrong length"):
        compiled.sha384_chains("portable", [bytes(48)] * 2, [tail], [tail], counts)
    with pytest.raises(ValueError, match="one length"):
        compiled.sha384_chains("portable", [], [], [], counts)
    with pytest.raises(ValueError, match="wrong length"):
        compiled.sha256_pages("portable", bytes(4095))


@pytest.mark.skipif(not SHA384, reason="nothing is compiled")
def test_an_implementation_that_a_hash_lacks_is_a_programming_error() -> None:
    with pytest.raises(ValueError, match="cannot run that implementation"):
        compiled.sha384_chains("sha-ni", [bytes(48)], [bytes(64)], [bytes(64)], [1])


def test_out_of_memory_raises_memory_error(monkeypatch: pytest.MonkeyPatch) -> None:
    class Lib:
        LDCAT_DONE, LDCAT_NO_MEMORY = 0, 2

    monkeypatch.setattr(compiled, "lib", Lib)
    with pytest.raises(MemoryError):
        compiled._raise_for(2)


@pytest.mark.parametrize("name", [*SHA256, PYTHON])
def test_an_implementation_is_used_by_the_hashes_that_have_it(name: str) -> None:
    chosen = choose(name)
    assert chosen.sha256 == name
    assert chosen.sha384 == (name if name in sha384_implementations() else sha384_implementations()[0])


def test_the_best_implementation_is_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    assert choose() == HashBackend(sha256_implementations()[0], sha384_implementations()[0])
    assert choose().compiled == (backends.lib is not None)


@pytest.mark.skipif(not SHA256, reason="nothing is compiled")
def test_the_fastest_of_all_implementations_is_the_default() -> None:
    assert choose().sha256 == FASTEST
    names = ", ".join(name for name in SHA256 if name != FASTEST)
    assert str(choose()) == f"SHA-256 chains: fastest of {names}, SHA-384 chains: {SHA384[0]}"


def test_an_unavailable_implementation_is_replaced_by_the_best_one() -> None:
    assert choose().here() == choose()
    assert REFERENCE.here() == REFERENCE
    assert HashBackend("amx", "amx").here() == choose()


def test_without_the_extension_the_reference_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "catalog.launch.hashing._hashing", None)
    spec = importlib.util.spec_from_file_location("backends_without_compiler", backends.__file__)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)
    spec.loader.exec_module(module)
    assert module.lib is None
    assert str(module.choose()) == str(REFERENCE)


def test_without_compiled_code_only_the_reference_is_available(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backends, "lib", None)
    assert choose() == REFERENCE
    assert str(choose()) == "SHA-256 chains: python, SHA-384 chains: python"
    with pytest.raises(UsageError, match="there is no hash backend 'avx2'") as error:
        choose("avx2")
    assert error.value.hint == "one of: python"
