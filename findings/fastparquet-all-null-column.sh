#!/usr/bin/env bash
# fastparquet cannot read a dictionary-encoded column that is null in every row, as pyarrow writes it uncompressed.
#
# A catalog column may be null throughout: a SEV catalog has no vCPU type. pyarrow writes such a column, if it is
# dictionary encoded, with an empty dictionary page. fastparquet 2026.9.0 raises TypeError ("an integer is required") for
# the whole file if the column is not compressed, and reads the same column if it is compressed, or if dictionary
# encoding is off. pyarrow reads all three.
#
# Seen: pyarrow 26.0.1 wrote them, fastparquet 2026.9.0 read them.
# Fails if that changes.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check fastparquet==2026.9.0 pyarrow==26.0.1 pandas==3.1.1 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import fastparquet
import pyarrow
import pyarrow.parquet

table = pyarrow.table({"vcpu_type": pyarrow.array([None, None], pyarrow.string())})
results = {}
for compression, dictionary in (("none", True), ("zstd", True), ("none", False)):
    name = f"{compression}-{dictionary}.parquet"
    pyarrow.parquet.write_table(table, name, compression=compression, use_dictionary=dictionary)
    assert pyarrow.parquet.read_table(name).to_pydict() == {"vcpu_type": [None, None]}
    try:
        fastparquet.ParquetFile(name).to_pandas()
        results[name] = "read"
    except TypeError as error:
        results[name] = f"TypeError: {error}"
print("fastparquet", fastparquet.__version__, results)
expected = {"none-True.parquet": "TypeError: an integer is required", "zstd-True.parquet": "read", "none-False.parquet": "read"}
assert results == expected, "the behaviour has changed"
PYTHON
