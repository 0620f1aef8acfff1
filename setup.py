"""The one part pyproject.toml cannot say: build the compiled helpers where a C compiler is."""

from pathlib import Path

from cffi import FFI
from setuptools import setup

SHA256 = "void ldcat_sha256_compress(uint8_t *state, const uint8_t *blocks, size_t count);"

KERNELS = """
enum ldcat_path { LDCAT_PORTABLE, LDCAT_AVX2, LDCAT_AVX512, LDCAT_SHA_NI, ... };
enum ldcat_result { LDCAT_DONE, LDCAT_NO_PATH, LDCAT_NO_MEMORY, ... };
int ldcat_has_path(int path);
int ldcat_sha256_chains(int path, size_t chains, const uint8_t *midstates, const uint8_t *carried, size_t carried_size,
                        const uint64_t *lengths, const uint8_t *bsp, const uint8_t *ap, const uint32_t *counts,
                        size_t count_of_counts, uint8_t *out);
int ldcat_sha384_chains(int path, size_t chains, const uint8_t *digests, const uint8_t *bsp, const uint8_t *ap,
                        const uint32_t *counts, size_t count_of_counts, uint8_t *out);
int ldcat_scan_launch_measure(int path, const uint8_t *inner, const uint8_t *outer, const uint8_t *before,
                              const uint8_t *after, const uint8_t *measure, const uint8_t *candidates, size_t count,
                              uint64_t *out, size_t room, size_t *found);
"""


def extension(module, declarations, source, **options):
    """A cffi extension that may fail to build."""
    helper = FFI()
    helper.cdef(declarations)
    helper.set_source(module, source, extra_compile_args=["-O3", "-Wno-psabi"], **options)
    built = helper.distutils_extension("build")
    built.optional = True  # without a compiler the pure-Python paths give the same digests
    return built


native = Path("catalog/launch/native")
headers = sorted(map(str, [*native.glob("*.h"), *Path("catalog/abi").glob("*.h")]))
setup(
    ext_modules=[
        extension("catalog.abi._sha256", SHA256, '#include "sha256.c"', include_dirs=["catalog/abi"], depends=headers),
        extension(
            "catalog.launch.native._kernels",
            KERNELS,
            '#include "kernels.h"\n#include "paths.h"',
            sources=sorted(map(str, native.glob("*.c"))),
            include_dirs=[str(native)],
            depends=headers,
        ),
    ]
)
