#!/usr/bin/env bash
# fastparquet drops trailing zero bytes of FIXED_LEN_BYTE_ARRAY values: one digest in 256 comes back one byte short.
#
# A launch digest is 32 or 48 bytes of fixed length. fastparquet 2026.9.0 reads such a column into a NumPy array of type
# S48, and NumPy removes trailing NUL bytes from each value of an S array. So a SHA-384 that ends in 00 comes back as 47
# bytes: a comparison with the right digest is false, and no error says why. The file is right: pyarrow reads the same
# file without loss. The maintainers know of it (dask/fastparquet#504). A variable-length column, plain or dictionary
# encoded, keeps the bytes.
#
# Seen: pyarrow 26.0.1 wrote it, fastparquet 2026.9.0 read it: lengths 48 and 47 (FIXED), 48 and 48 (variable).
# Fails if that changes.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check fastparquet==2026.9.0 pyarrow==26.0.1 pandas==3.1.1 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import hashlib

import fastparquet
import pyarrow
import pyarrow.parquet

number = 0
while hashlib.sha384(b"%d" % number).digest()[-1]:
    number += 1
digests = [hashlib.sha384(b"full").digest(), hashlib.sha384(b"%d" % number).digest()]
columns = {"fixed": pyarrow.array(digests, pyarrow.binary(48)), "variable": pyarrow.array(digests, pyarrow.binary())}
pyarrow.parquet.write_table(pyarrow.table(columns), "digests.parquet")

assert pyarrow.parquet.read_table("digests.parquet").column("fixed").to_pylist() == digests
read = fastparquet.ParquetFile("digests.parquet").to_pandas()
lengths = {name: [len(value) for value in read[name]] for name in columns}
print("fastparquet", fastparquet.__version__, "reads the lengths", lengths)
assert lengths == {"fixed": [48, 47], "variable": [48, 48]}, "the behaviour has changed"
assert read["fixed"][1] == digests[1][:-1]
PYTHON
