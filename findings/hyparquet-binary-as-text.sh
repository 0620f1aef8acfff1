#!/usr/bin/env bash
# hyparquet decodes BYTE_ARRAY columns without a logical type as UTF-8 unless told not to: hashes are damaged for good.
#
# Parquet's BYTE_ARRAY without an annotation is plain bytes (a hash of a component in a catalog, for example). hyparquet
# 1.33.0, the usual reader in a browser, has the option utf8 with the default true, and decodes such a column as text.
# Bytes that are not UTF-8 become U+FFFD, so 32 bytes come back as a string from which they cannot be restored, without an
# error. FIXED_LEN_BYTE_ARRAY columns and `utf8: false` give the bytes.
#
# Seen: pyarrow 26.0.1 wrote it, hyparquet 1.33.0 read it with Node.js.
# Fails if that changes. Needs python3 with venv, node and npm.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check pyarrow==26.0.1
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import hashlib

import pyarrow
import pyarrow.parquet

hashes = [hashlib.sha256(b"firmware").digest()]
columns = {"fixed": pyarrow.array(hashes, pyarrow.binary(32)), "variable": pyarrow.array(hashes, pyarrow.binary())}
pyarrow.parquet.write_table(pyarrow.table(columns), "hashes.parquet")
PYTHON
npm install --silent --no-audit --no-fund --prefix "$folder" hyparquet@1.33.0 hyparquet-compressors@1.1.2 >/dev/null
cat >read.mjs <<'JAVASCRIPT'
import assert from "node:assert";
import { createHash } from "node:crypto";
import { asyncBufferFromFile, parquetReadObjects } from "hyparquet";
import { compressors } from "hyparquet-compressors";

const right = createHash("sha256").update("firmware").digest("hex");
const hex = (value) => (typeof value === "string" ? value : Buffer.from(value).toString("hex"));
const read = async (options) => {
  const [row] = await parquetReadObjects({ file: await asyncBufferFromFile("hashes.parquet"), compressors, ...options });
  return row;
};
const usual = await read({});
const bytes = await read({ utf8: false });
console.log("by default:", typeof usual.variable, JSON.stringify(usual.variable));
assert.equal(typeof usual.variable, "string", "the behaviour has changed");
assert(usual.variable.includes("\ufffd"));
assert.notEqual(Buffer.from(usual.variable, "utf8").toString("hex"), right);
assert.equal(hex(bytes.variable), right);
console.log("fixed length by default:", typeof usual.fixed);
assert.equal(hex(usual.fixed), right);
JAVASCRIPT
node read.mjs
