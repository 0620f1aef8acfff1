#!/usr/bin/env bash
# dstack-sdk's get_compose_hash takes docker_config out of the caller's dict: a second call gives another hash.
#
# A dstack guest logs the SHA-256 of its app-compose.json as the event compose-hash of RTMR3. dstack-sdk 0.5.4 of PyPI
# computes it from a dict and, on the way, removes the key docker_config from that dict. So whoever computes the hash twice,
# or computes it and then writes the file, gets the hash or the file of another app. Its peer on npm, @phala/dstack-sdk
# 0.5.8, which the docstring calls compatible, leaves its argument alone. The two differ in what they hash as well: a
# member that is null is left out by Python and kept by JavaScript, 1.0 is "1.0" in one and "1" in the other, and keys that
# are numbers (ports) are in the order of text in one and of numbers in the other.
#
# Seen: dstack-sdk 0.5.4 (Python) and @phala/dstack-sdk 0.5.8 (Node.js), on valid JSON: same first hash, other second hash;
# other hashes for null, 1.0 and number keys.
# Fails if that changes. Needs python3 with venv, node and npm.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check dstack-sdk==0.5.4
cd "$folder"
npm install --silent --no-audit --no-fund --legacy-peer-deps --prefix "$folder" \
    @phala/dstack-sdk@0.5.8 @noble/curves@1.9.7 @noble/hashes@1.8.0 >/dev/null
cat >composes.json <<'JSON'
{
  "plain": {"runner": "docker-compose", "name": "app", "docker_compose_file": "services: {}\n", "public_logs": true},
  "docker_config": {"runner": "docker-compose", "docker_config": {"registry": "registry.example", "username": "app"}},
  "null": {"runner": "docker-compose", "key_provider_id": null},
  "1.0": {"runner": "docker-compose", "cpus": 1.0},
  "number keys": {"runner": "docker-compose", "ports": {"9000": "a", "10000": "b"}}
}
JSON
cat >hashes.js <<'JAVASCRIPT'
const { readFileSync } = require("node:fs");
const { getComposeHash } = require("@phala/dstack-sdk");

const composes = Object.entries(JSON.parse(readFileSync("composes.json", "utf8")));
const twice = (compose) => [getComposeHash(compose), getComposeHash(compose)];
console.log(JSON.stringify(Object.fromEntries(composes.map(([name, compose]) => [name, twice(compose)]))));
JAVASCRIPT
node hashes.js >javascript.json
"$folder/venv/bin/python" - <<'PYTHON'
import json

from dstack_sdk import get_compose_hash

with open("composes.json", encoding="utf-8") as file:
    composes = json.load(file)
with open("javascript.json", encoding="utf-8") as file:
    javascript = json.load(file)
python = {name: [get_compose_hash(compose), get_compose_hash(compose)] for name, compose in composes.items()}

for name, (first, second) in python.items():
    print(f"{name}: again equal {first == second}, as in JavaScript {first == javascript[name][0]}")
assert all(first == second for first, second in javascript.values()), "JavaScript changes its argument now"
assert [name for name, (first, second) in python.items() if first != second] == ["docker_config"], "this has changed"
assert python["docker_config"][1] == get_compose_hash({"runner": "docker-compose"})
assert "docker_config" not in composes["docker_config"]
others = [name for name in composes if python[name][0] != javascript[name][0]]
assert others == ["null", "1.0", "number keys"], f"the two differ elsewhere now: {others}"
PYTHON
