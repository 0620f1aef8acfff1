"""Resumable SHA-256: the same tests on both implementations, against hashlib."""

from __future__ import annotations

import hashlib
import importlib.util
import sys
from collections.abc import Callable, Iterator
from types import ModuleType

import cffi
import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.abi import sha256, sha256_compression
from catalog.abi.sha256 import Sha256State
from catalog.errors import MalformedInput


@pytest.fixture(params=list(sha256_compression.implementations()), scope="module")
def compress(request: pytest.FixtureRequest) -> Iterator[Callable[[bytes, bytes], bytes]]:
    """Each compression function in turn, patched in."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sha256, "compress", sha256_compression.implementations()[request.param])
        yield sha256_compression.compress


@given(st.binary(max_size=700), st.lists(st.integers(0, 700), max_size=4))
def test_any_split_gives_the_same_hash_as_hashlib(
    compress: Callable[[bytes, bytes], bytes], data: bytes, cuts: list[int]
) -> None:
    state, at = Sha256State(), 0
    for cut in [*sorted(cuts), len(data)]:
        state = state.update(data[at : max(at, cut)])
        at = max(at, min(cut, len(data)))
        assert state.length == at
        assert state.digest() == hashlib.sha256(data[:at]).digest()


@pytest.mark.parametrize("length", [0, 1, 55, 56, 63, 64, 65, 119, 120, 128, 4096])
def test_every_padding_length(compress: Callable[[bytes, bytes], bytes], length: int) -> None:
    data = bytes(range(256)) * 16
    assert Sha256State().update(data[:length]).digest() == hashlib.sha256(data[:length]).digest()


def test_the_example_of_fips_180_4(compress: Callable[[bytes, bytes], bytes]) -> None:
    # NIST, SHA256.pdf examples: one block, "abc"
    expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert Sha256State().update(b"abc").digest().hex() == expected


@given(midstate=st.binary(min_size=32, max_size=32), blocks=st.integers(1, 3))
def test_implementations_agree_from_any_midstate(midstate: bytes, blocks: int) -> None:
    data = hashlib.sha512(midstate).digest() * blocks
    results = {function(midstate, data) for function in sha256_compression.implementations().values()}
    assert len(results) == 1


def test_hashing_resumes_from_a_published_midstate(compress: Callable[[bytes, bytes], bytes]) -> None:
    page = b"firmware" * 512
    midstate = Sha256State().update(page).midstate
    resumed = Sha256State(midstate, b"", len(page)).update(b"VMSA")
    assert resumed.digest() == hashlib.sha256(page + b"VMSA").digest()


def test_the_compiled_helper_is_preferred_if_it_can_be_imported() -> None:
    compiled = importlib.util.find_spec("catalog.abi._sha256") is not None
    module = _fresh_copy()
    assert list(module.implementations()) == (["compiled", "pure Python"] if compiled else ["pure Python"])
    assert module.in_use == next(iter(module.implementations()))
    assert module.compress is module.implementations()[module.in_use]


def test_without_the_compiled_helper_pure_python_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "catalog.abi._sha256", None)  # makes an import raise ImportError
    module = _fresh_copy()
    assert list(module.implementations()) == ["pure Python"]
    assert module.in_use == "pure Python"
    padded = b"abc\x80".ljust(63, b"\0") + b"\x18"
    assert module.compress(module.INITIAL_MIDSTATE, padded) == hashlib.sha256(b"abc").digest()


@pytest.mark.parametrize(
    "fields",
    [
        {"midstate": bytes(31)},
        {"carried": b"x"},
        {"length": 1},
        {"length": 64, "carried": bytes(64)},
        {"length": -64},
    ],
)
def test_an_inconsistent_state_is_refused(fields: dict[str, bytes | int]) -> None:
    with pytest.raises(MalformedInput, match="disagree"):
        Sha256State(**fields)  # type: ignore[arg-type]


@given(root=st.integers(0, 1 << 40), beside=st.integers(-1, 1))
def test_cube_roots_are_exact_even_if_floats_would_round(root: int, beside: int) -> None:
    """The round constants are computed from them."""
    number = max(0, root**3 + beside)
    found = sha256_compression._integer_cube_root(number)
    assert found**3 <= number < (found + 1) ** 3


def _fresh_copy() -> ModuleType:
    spec = importlib.util.find_spec("catalog.abi.sha256_compression")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, spec.name, module)  # dataclasses looks up the module
        spec.loader.exec_module(module)
    return module


class _StandIn:
    """A stand-in for the C code: the pure-Python function behind the same cffi buffers."""

    def __init__(self, ffi: cffi.FFI) -> None:
        self.ffi = ffi

    def ldcat_sha256_compress(self, state: object, blocks: object, count: int) -> None:
        data = bytes(self.ffi.buffer(blocks, 64 * count))
        self.ffi.buffer(state)[:] = sha256_compression.compress_in_python(bytes(self.ffi.buffer(state)), data)


def test_the_calling_convention_of_the_compiled_helper(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests the Python side of the helper on machines without a compiler, too."""
    ffi = cffi.FFI()
    monkeypatch.setattr(sha256_compression, "ffi", ffi, raising=False)
    monkeypatch.setattr(sha256_compression, "lib", _StandIn(ffi))
    monkeypatch.setattr(sha256, "compress", sha256_compression.implementations()["compiled"])
    assert Sha256State().update(bytes(200)).digest() == hashlib.sha256(bytes(200)).digest()
