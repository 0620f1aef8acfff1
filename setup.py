"""What pyproject.toml cannot say: helpers that a C compiler makes, one wheel for all Pythons, reproducible bytes."""

import gzip
import os
import stat
import sysconfig
import tarfile
import time
import zipfile
from pathlib import Path

from cffi import FFI
from setuptools import Extension, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_ext import build_ext
from setuptools.command.sdist import sdist

WHEN = int(os.environ.setdefault("SOURCE_DATE_EPOCH", "315532800"))  # 1980, where ZIP begins

SHA256 = "void ldcat_sha256_compress(uint8_t *state, const uint8_t *blocks, size_t count);"

HASHING = """
enum ldcat_implementation { LDCAT_PORTABLE, LDCAT_AVX2, LDCAT_AVX512, LDCAT_SHA_NI, ... };
enum ldcat_result { LDCAT_DONE, LDCAT_NO_IMPLEMENTATION, LDCAT_NO_MEMORY, LDCAT_OUTSIDE, ... };
int ldcat_has_implementation(int implementation);
size_t ldcat_sha256_lanes(int implementation, size_t number);
int ldcat_sha256_chains(int implementation, size_t lanes, size_t chains, const uint8_t *midstates,
                        const uint8_t *carried, const uint64_t *lengths, const uint8_t *pages, const uint32_t *bsp,
                        const uint32_t *ap, const uint32_t *counts, size_t count_of_counts, uint8_t *out);
uint64_t ldcat_sha256_nanoseconds(int implementation, size_t lanes);
int ldcat_sha256_pages(int implementation, const uint8_t *pages, size_t count, uint8_t *out);
int ldcat_sha256_messages(int implementation, uint8_t prefix, const uint8_t *data, size_t data_size,
                          const uint32_t *starts, const uint32_t *sizes, size_t count, uint8_t *out);
int ldcat_merkle_roots(int implementation, uint8_t *hashes, size_t count, unsigned levels);
int ldcat_sha384_chains(int implementation, size_t chains, const uint8_t *digests, const uint8_t *bsp,
                        const uint8_t *ap, const uint32_t *counts, size_t count_of_counts, uint8_t *out);
struct ldcat_pages { const uint8_t *kinds; const uint64_t *gpas; const uint32_t *contents; size_t count; };
int ldcat_sha384_pages(int implementation, size_t chains, const struct ldcat_pages *pages, const uint8_t *contents,
                       uint8_t *digests);
int ldcat_scan_launch_measure(int implementation, const uint8_t *inner, const uint8_t *outer, const uint8_t *before,
                              const uint8_t *after, const uint8_t *measure, const uint8_t *candidates, size_t count,
                              uint64_t *out, size_t room, size_t *found);
"""

ROWS = """
void ldcat_count_shards(const uint8_t *digests, size_t rows, size_t digest_size, unsigned bits, uint64_t *counts);
void ldcat_scatter_rows(const uint8_t *digests, size_t digest_size, const uint32_t *sweeps, size_t count,
                        const uint32_t *steps, size_t count_of_steps, unsigned bits, uint64_t *cursors, uint8_t *out);
size_t ldcat_with_zero_bits(const uint8_t *digests, size_t rows, size_t digest_size, unsigned bits, uint32_t *out);
size_t ldcat_renumber_rows(const uint8_t *digests, size_t rows, size_t digest_size, const uint8_t *entries,
                           size_t entry_size, unsigned ordinal_bits, const uint64_t *starts, const uint32_t *sweeps,
                           size_t count, uint8_t *out);
int ldcat_find_rows(const uint8_t *asked, size_t count, size_t digest_size, const uint8_t *buckets,
                     unsigned bucket_bits, const uint8_t *entries, size_t entry_size, unsigned ordinal_bits,
                     const uint8_t *part, size_t part_size, unsigned part_bits, uint64_t part_number,
                     const uint64_t *pages, size_t page_count, unsigned page_bits, uint64_t first_row,
                     uint64_t rows, uint64_t *found, uint32_t *times);
int ldcat_sorted_columns(const uint8_t *records, uint32_t rows, size_t digest_size, unsigned bits,
                         const uint64_t *starts, unsigned bucket_bits, unsigned ordinal_bits, size_t entry_size,
                         uint64_t first_bucket, uint8_t *digests, uint32_t *sweeps, uint32_t *steps, uint8_t *entries,
                         uint64_t *buckets);
"""

FINDS = """
struct ldcat_memory;
struct ldcat_file;
struct ldcat_index;
#define LDCAT_KEYS_SIZE ...
static const uint64_t LDCAT_NOT_FOUND, LDCAT_ASK_PYTHON;
struct ldcat_memory *ldcat_memory_new(const uint8_t *keys, uint32_t room, unsigned tag_bits);
void ldcat_memory_free(struct ldcat_memory *memory);
struct ldcat_file *ldcat_file_new(struct ldcat_memory *memory, int data, int tree, uint64_t size, const uint8_t *root,
                                  int keep);
void ldcat_file_free(struct ldcat_file *file);
struct ldcat_index *ldcat_index_new(const struct ldcat_file *file, const uint64_t *numbers, const uint64_t *first_rows,
                                    const uint64_t *first_pages, uint64_t parts, const uint64_t *pages,
                                    uint64_t page_count);
void ldcat_index_free(struct ldcat_index *index);
void ldcat_index_part(struct ldcat_index *index, uint64_t number, const struct ldcat_file *part);
const struct ldcat_file *ldcat_ripe_part(const struct ldcat_index *index);
void ldcat_verify_rest(const struct ldcat_file *file);
uint64_t ldcat_find(const struct ldcat_index *index, const uint8_t *digest, int may_wait);
"""

LEAVES = """
struct ldcat_groups;
size_t ldcat_split_bundle(const uint8_t *data, size_t size, uint32_t base, size_t most, uint32_t *starts,
                          uint32_t *sizes);
struct ldcat_groups *ldcat_groups_new(size_t most);
void ldcat_groups_free(struct ldcat_groups *groups);
int ldcat_groups_add(struct ldcat_groups *groups, const uint8_t *leaf, size_t size);
size_t ldcat_groups_take(const struct ldcat_groups *groups, const uint8_t *data, size_t data_size,
                         const uint32_t *starts, const uint32_t *sizes, size_t first, size_t count, uint8_t *digests,
                         int32_t *vcpus, uint32_t *numbers);
size_t ldcat_read_bundles(int folder, const char *names, size_t count, uint8_t *out, size_t room, uint32_t *starts,
                          uint32_t *sizes);
size_t ldcat_same_tiles(int folder, const char *names, size_t count, const uint8_t *hashes);
int ldcat_leaves_ascend(const uint8_t *data, size_t data_size, const uint32_t *starts, const uint32_t *sizes,
                        size_t count);
enum ldcat_order { LDCAT_SORTED, LDCAT_NO_ROOM, LDCAT_NOT_ROWS, ... };
int ldcat_sort_rows(size_t count, const uint8_t *digests, const int32_t *vcpus, const uint32_t *numbers, size_t groups,
                    const uint8_t *sizes, uint64_t *starts, int32_t *sorted_vcpus, uint8_t *sorted_digests);

struct ldcat_leaf_group { uint32_t before, between, after, head; };
struct ldcat_leaf_groups {
    const uint8_t *pieces; const uint64_t *piece_at; const struct ldcat_leaf_group *groups; size_t count, heads;
};
int ldcat_pack_rows(const uint8_t *digests, size_t stride, const int32_t *vcpus, const uint32_t *groups, size_t count,
                    const uint32_t *numbers, const uint32_t *bits, size_t map_size, uint8_t *out);
size_t ldcat_write_leaves(const struct ldcat_leaf_groups *groups, const uint8_t *rows, size_t count, uint8_t *out,
                          size_t room, uint32_t *starts, uint32_t *sizes);
int ldcat_sort_packed_rows(const struct ldcat_leaf_groups *groups, const uint8_t *rows, size_t count, uint8_t *out,
                           uint64_t *head_counts);
size_t ldcat_unknown_rows(uint8_t *rows, size_t count);
size_t ldcat_rows_with(const uint8_t *rows, size_t count, const uint8_t *digests, size_t digest_count,
                       const uint8_t *slots, uint32_t *out);
int ldcat_multiply_rows(const uint64_t *key, const uint8_t *rows, size_t count, uint64_t *products, size_t groups);
size_t ldcat_rows_of(const uint8_t *rows, size_t count, const uint8_t *wanted, size_t groups, uint8_t *out);
struct ldcat_slots;
struct ldcat_slots *ldcat_slots_new(void);
void ldcat_slots_free(struct ldcat_slots *slots);
size_t ldcat_slots_add(struct ldcat_slots *slots, const uint8_t *rows, size_t count, const uint8_t *dead, size_t groups,
                       const uint32_t *odd, size_t odd_count, uint32_t *out);

struct ldcat_column { const uint8_t *values, *valid; size_t offset; uint32_t width; };
size_t ldcat_combinations(const struct ldcat_column *columns, size_t column_count, size_t count, uint32_t *numbers,
                          uint32_t *firsts);
"""

NEW_FILES = """
struct ldcat_new_file {
    int folder; const char *partial, *name; const uint8_t *data; size_t size; int stays_open, is_synced, descriptor;
};
size_t ldcat_write_files(struct ldcat_new_file *files, size_t count, int *error);
size_t ldcat_name_files(const struct ldcat_new_file *files, size_t count, int *error);
"""


STABLE_ABI = not sysconfig.get_config_var("Py_GIL_DISABLED")  # free-threaded Pythons have none before 3.15
OLDEST = "cp311"


def mode_of(found):
    """Without what the umask of a checkout says."""
    return 0o755 if stat.S_ISDIR(found) or found & stat.S_IXUSR else 0o644


class Sdist(sdist):
    """Files in the order of their names, of nobody and of one time."""

    def make_archive(self, base_name, *_, base_dir, **__):
        def anonymous(found):
            found.uid, found.gid, found.uname, found.gname, found.mtime = 0, 0, "", "", WHEN
            found.mode = mode_of(found.mode if found.isreg() else stat.S_IFDIR)
            return found

        path = f"{base_name}.tar.gz"
        with (
            Path(path).open("wb") as file,
            gzip.GzipFile("", "wb", fileobj=file, mtime=WHEN) as packed,
            tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive,
        ):
            archive.add(base_dir, filter=anonymous)
        return path


class Wheel(bdist_wheel):
    """For all Pythons from the oldest one on, and for every platform if nothing was compiled.

    Setuptools takes the time from SOURCE_DATE_EPOCH, and modes from the checkout.
    """

    def finalize_options(self):
        self.py_limited_api = STABLE_ABI and OLDEST
        self.compression = "stored"  # run() compresses
        super().finalize_options()

    def run(self):
        self.run_command("build_ext")
        built = self.get_finalized_command("build_ext").get_outputs()
        if not any(Path(path).exists() for path in built):
            self.root_is_pure, self.plat_name_supplied, self.distribution.ext_modules = True, False, []
        super().run()
        path = Path(self.distribution.dist_files[-1][2])
        with zipfile.ZipFile(path) as made:
            files = [(one.filename, one.external_attr >> 16, made.read(one)) for one in made.infolist()]
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as again:
            for name, mode, data in files:
                entry = zipfile.ZipInfo(name, time.gmtime(WHEN)[:6])
                entry.external_attr, entry.compress_type = (stat.S_IFREG | mode_of(mode)) << 16, zipfile.ZIP_DEFLATED
                entry.create_system = 3
                again.writestr(entry, data)


class Extensions(build_ext):
    """No path of this machine: Python may be linked with where its own library is, which these do not need."""

    def finalize_options(self):
        super().finalize_options()
        self.parallel = self.parallel or os.cpu_count()

    def build_extensions(self):
        linker = getattr(self.compiler, "linker_so", [])
        self.compiler.linker_so = [word for word in linker if not word.startswith("-Wl,-rpath")]
        super().build_extensions()

    def copy_extensions_to_source(self):
        for older in Path("catalog").rglob("_*.cpython-*.so"):  # for one Python, which would take them first
            older.unlink()
        super().copy_extensions_to_source()


def options_of(*flags):
    """Options of an extension for every Python from the oldest one on."""
    macro = ("Py_LIMITED_API", "0x030b0000") if STABLE_ABI else ("_CFFI_NO_LIMITED_API", None)
    compiled = {"depends": sources, "extra_compile_args": ["-O3", "-g0", "-Wno-psabi", *flags]}
    return {"py_limited_api": STABLE_ABI, "define_macros": [macro], **compiled}


def extension(module, declarations, source, **options):
    """A cffi extension that may fail to build."""
    helper = FFI()
    helper.cdef(declarations)
    helper.set_source(module, source, **options_of(), **options)
    built = helper.distutils_extension("build")
    built.optional = True  # without a compiler the Python reference gives the same digests
    return built


hashing, leaves = Path("catalog/launch/hashing"), Path("catalog/log/leaves")
sources = sorted(map(str, Path("catalog").rglob("*.[ch]")))
setup(
    data_files=[("share/man/man1", sorted(map(str, Path("man").glob("*.1"))))],  # none in a checkout: make wheels
    cmdclass={"sdist": Sdist, "bdist_wheel": Wheel, "build_ext": Extensions},
    ext_modules=[
        extension("catalog.abi._sha256", SHA256, '#include "sha256.c"', include_dirs=["catalog/abi"]),
        extension(
            "catalog.launch.hashing._hashing",
            HASHING,
            '#include "hashing.h"\n#include "implementations.h"',
            sources=sorted(map(str, hashing.glob("*.c"))),
            include_dirs=[str(hashing)],
        ),
        extension(
            "catalog.log.leaves._leaves",
            LEAVES,
            "".join(f'#include "{path.name}"\n' for path in sorted(leaves.glob("*.h"))),
            sources=sorted(map(str, leaves.glob("*.c"))),
            include_dirs=[str(leaves)],
        ),
        extension(
            "catalog.files._new_files",
            NEW_FILES,
            '#include "new_files.h"',
            sources=["catalog/files/new_files.c"],
            include_dirs=["catalog/files"],
        ),
        extension("catalog.store._rows", ROWS, '#include "rows.c"', include_dirs=["catalog/store"]),
        extension("catalog.fast.compiled._finds", FINDS, '#include "finds.c"', include_dirs=["catalog/fast/compiled"]),
        Extension(
            "catalog.fast.compiled._held",
            ["catalog/fast/compiled/held.c"],
            optional=True,
            **options_of("-Wno-unused-function"),
        ),
    ],
)
