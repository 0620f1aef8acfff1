"""The one part pyproject.toml cannot say: build the SHA-256 helper where a C compiler is."""

from pathlib import Path

from cffi import FFI
from setuptools import setup

helper = FFI()
helper.cdef("void ldcat_sha256_compress(uint8_t *state, const uint8_t *blocks, size_t count);")
helper.set_source("catalog.abi._sha256", Path("catalog/abi/sha256.c").read_text(encoding="utf-8"))
extension = helper.distutils_extension("build")
extension.optional = True  # without a compiler the pure-Python path gives the same digests

setup(ext_modules=[extension])
