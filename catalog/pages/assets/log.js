// The log, verified here: the checkpoint, by who signed it, the inclusion of a row and of the last release, what it revokes.
// Texts: C2SP signed-note, tlog-checkpoint, tlog-cosignature, tlog-tiles, tlog-proof; RFC 6962.

import { fromBase64, joined, toBase64, utf8 } from "./bytes.js";
import { hexOf } from "./evidence.js";
import { FRAGMENT, get } from "./rows.js";
import { MAX_AHEAD, NotProven, freshUntil, signersOf } from "./signers.js";

const WIDTH = 256;
const HASH = 32;
const MAX_NOTE = 1 << 20;
const MAX_BUNDLE = WIDTH * (2 + 65535);
const MAX_REVOCATIONS = 8 << 20;
const EARLIEST = 1577836800; // 1 January 2020: no release is older
const MAX_TRUST_STEP = 64; // versions of a trust note that nobody makes between two releases
const RECORD = ["artifacts", "previous_root", "previous_size", "release", "revocations_chain", "revocations_count",
  "revocations_sha256", "time", "trust_version", "type"]; // fields of a release record; what another one means, nobody here knows
const MOST_ASKED = 40; // bundles in which a row is looked for

const sha256 = async (bytes) => new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
const leafHash = (entry) => sha256(joined([0], entry));
const nodeHash = (left, right) => sha256(joined([1], left, right));

// Whether this browser can verify at all: WebCrypto is there for pages that nobody on the way can change.
export function cannotVerify() {
  if (globalThis.crypto?.subtle) return null;
  return "this browser verifies nothing on a page that came over plain http: use https, or ldcat verify-proof";
}

// The row of `leaf` in the log of `catalog`: what was verified, and the proof bundle that ldcat verify-proof reads.
export async function prove(catalog, leaf) {
  const reason = cannotVerify();
  if (reason) throw new NotProven(reason);
  const { trust, release, manifest_sha256: manifest } = catalog.page;
  if (!trust) throw new NotProven("this page came with no keys to verify its log with");
  const log = await Log.open(catalog.root, release.origin);
  const signers = await signersOf(log, trust);
  const index = await log.find(catalog.page, leaf);
  const row = await log.inclusion(index, utf8.encode(leaf));
  const last = await log.entry(log.size - 1);
  const status = await log.inclusion(log.size - 1, last);
  const record = JSON.parse(new TextDecoder().decode(last));
  if (record.type !== "release") throw new NotProven("the last leaf of the log is not the record of a release");
  const fresh = freshUntil(signers, record.time, trust);
  const revocations = await get(`${log.root}releases/${record.release}/revocations.json`, MAX_REVOCATIONS);
  if (hexOf(await sha256(revocations)) !== record.revocations_sha256) {
    throw new NotProven("the revocations are not those that the last release names");
  }
  const text = new TextDecoder().decode(revocations);
  const list = JSON.parse(text);
  if (canonical(list) !== text) throw new NotProven("the revocations are not written in their one form");
  await checkRecord(record, list, trust);
  return {
    origin: log.origin,
    index,
    size: log.size,
    root: hexOf(log.rootHash),
    release: record.release,
    isNewest: record.artifacts["manifest.json"] === manifest,
    signers: [...new Set(signers.map(({ key }) => key.name))],
    fresh,
    revocations: list,
    bundle: `${canonical({ format: "ldcat-proof/1", revocations: list, row, status })}\n`,
  };
}

// What the record of the last release may say, as release_rules.py and verify_proof.py have it.
async function checkRecord(record, list, trust) {
  const unknown = Object.keys(record).filter((name) => !RECORD.includes(name));
  if (unknown.length) throw new NotProven(`the last release says more than this page understands: ${unknown.join(", ")}`);
  const isFalse = (what) => new NotProven(`release ${record.release} is false: ${what}`);
  if (record.time < EARLIEST || record.time > Date.now() / 1000 + MAX_AHEAD) throw isFalse("its time cannot be");
  if ((record.trust_version ?? 0) > trust.version + MAX_TRUST_STEP) throw isFalse("its trust version cannot be");
  if (record.revocations_chain === undefined) return; // of ldcat 0.1.0
  let chain = "0".repeat(64);
  for (const { selector, severity, reason } of list) {
    const leaf = canonical({ reason, selector, severity, type: "revoke" });
    chain = hexOf(await sha256(utf8.encode(chain + leaf)));
  }
  if (list.length !== record.revocations_count || chain !== record.revocations_chain) {
    throw isFalse("it commits to other revocations than it names");
  }
}

class Log {
  constructor(root, text, signatures, note) {
    const [origin, size, encoded, ...rest] = text.split("\n");
    if (!/^(0|[1-9][0-9]{0,15})$/.test(size)) throw new NotProven("the checkpoint has no size");
    const rootHash = /^[A-Za-z0-9+/]{43}=$/.test(encoded) ? fromBase64(encoded) : [];
    if (rootHash.length !== HASH) throw new NotProven("the checkpoint has no root");
    Object.assign(this, { root, text, signatures, note, origin, size: Number(size), rootHash });
    this.isExtended = rest.length > 1;
    this.tiles = new Map();
  }

  static async open(root, origin) {
    const note = new TextDecoder("utf-8", { fatal: true }).decode(await get(`${root}checkpoint`, MAX_NOTE, "no-cache"));
    const at = note.lastIndexOf("\n\n");
    if (at < 0 || !note.endsWith("\n")) throw new NotProven("the checkpoint is no signed note");
    const signatures = note.slice(at + 2, -1).split("\n").map((line) => {
      const [, name, encoded] = /^\u2014 (\S+) ([A-Za-z0-9+/=]+)$/.exec(line) ?? [];
      if (!name) throw new NotProven("the checkpoint has a signature that is none");
      const value = fromBase64(encoded);
      return { name, id: hexOf(value.subarray(0, 4)), value: value.subarray(4) };
    });
    const log = new Log(root, note.slice(0, at + 1), signatures, note);
    if (log.origin !== origin) throw new NotProven(`the checkpoint is of ${log.origin}, and not of ${origin}`);
    return log;
  }

  // The index of a leaf, looked for where its digest has to be among those of its firmware and kernel hashes.
  async find(page, leaf) {
    const row = JSON.parse(leaf);
    const { firmware_sha256: images, kernel_hashes_sha256: tables } = page.axes;
    for (const [firmware, table, first, rows] of page.families) {
      if (JSON.stringify(row.firmware_sha256) !== images[firmware]) continue;
      if (JSON.stringify(row.kernel_hashes_sha256) !== tables[table]) continue;
      const index = await this.#search(leaf, first, first + rows);
      if (index !== null) return index;
    }
    throw new NotProven("the log does not have this row");
  }

  // By interpolation: within a run of leaves digests are in order, and evenly spread.
  async #search(leaf, low, high) {
    const wanted = spot(leaf);
    let [least, most] = [0, 1];
    for (let asked = 0; low < high && asked < MOST_ASKED; asked++) {
      const share = most > least ? (wanted - least) / (most - least) : 0.5;
      const middle = Math.min(Math.max(low + Math.floor((high - low) * share), low), high - 1);
      const begin = Math.floor(middle / WIDTH) * WIDTH;
      const entries = (await this.#bundle(begin / WIDTH)).map((entry) => new TextDecoder().decode(entry));
      const within = entries.slice(Math.max(0, low - begin), high - begin);
      const at = within.indexOf(leaf);
      if (at >= 0) return Math.max(low, begin) + at;
      if (within.some((entry) => isAlike(entry, leaf))) {
        throw new NotProven("no configuration has this launch digest: that of the row which is listed begins as it does, and ends otherwise");
      }
      const [first, last] = [within[0], within[within.length - 1]];
      if (leaf < first) [high, most] = [Math.max(low, begin), spot(first)];
      else if (leaf > last) [low, least] = [Math.min(high, begin + entries.length), spot(last)];
      else return null;
    }
    return null;
  }

  async entry(index) {
    return (await this.#bundle(Math.floor(index / WIDTH)))[index % WIDTH];
  }

  async #bundle(number) {
    const data = await this.#wide("entries", number, MAX_BUNDLE, Math.min(WIDTH, this.size - number * WIDTH));
    const view = new DataView(data.buffer);
    const entries = [];
    for (let at = 0; at < data.length; ) {
      const size = view.getUint16(at);
      entries.push(data.subarray(at + 2, at + 2 + size));
      at += 2 + size;
    }
    return entries;
  }

  // The proof of a leaf as text, once it leads to the root of the checkpoint.
  async inclusion(index, entry) {
    const hashes = await this.#path(index, 0, this.size);
    let found = await leafHash(entry);
    let [at, last] = [index, this.size - 1];
    for (const hash of hashes) {
      if (at % 2 || at === last) {
        found = await nodeHash(hash, found);
        while (at % 2 === 0 && at) [at, last] = [Math.floor(at / 2), Math.floor(last / 2)];
      } else {
        found = await nodeHash(found, hash);
      }
      [at, last] = [Math.floor(at / 2), Math.floor(last / 2)];
    }
    if (last || hexOf(found) !== hexOf(this.rootHash)) {
      throw new NotProven("the hashes of the log do not lead from this row to its checkpoint");
    }
    const lines = ["c2sp.org/tlog-proof@v1", `extra ${toBase64(entry)}`, `index ${index}`, ...hashes.map(toBase64)];
    return `${lines.join("\n")}\n\n${this.note}`;
  }

  // RFC 6962, 2.1.1: hashes beside the way from the leaf to the root of the leaves from `low` to `high`, the lowest first.
  async #path(index, low, high) {
    if (high - low < 2) return [];
    const split = low + halfOf(high - low);
    if (index < split) return [...(await this.#path(index, low, split)), await this.#root(split, high)];
    return [...(await this.#path(index, split, high)), await this.#root(low, split)];
  }

  // The root of the leaves from `low` to `high`.
  async #root(low, high) {
    const size = high - low;
    const half = halfOf(size);
    if (size === 1 || size === 2 * half) return this.#node(size === 1 ? 0 : Math.round(Math.log2(size)), low / size);
    const split = low + half;
    return nodeHash(await this.#root(low, split), await this.#root(split, high));
  }

  // The root of the leaves from index * 2^level on, of which there are 2^level.
  async #node(level, index) {
    const within = level % 8;
    const tileLevel = (level - within) / 8;
    const first = index * 2 ** within;
    const number = Math.floor(first / WIDTH);
    const width = Math.min(WIDTH, Math.floor(this.size / 256 ** tileLevel) - number * WIDTH);
    const tile = await this.#wide(`${tileLevel}`, number, WIDTH * HASH, width);
    let hashes = [];
    for (let at = first % WIDTH, end = at + 2 ** within; at < end; at++) {
      hashes.push(tile.subarray(at * HASH, (at + 1) * HASH));
    }
    while (hashes.length > 1) {
      const above = [];
      for (let at = 0; at < hashes.length; at += 2) above.push(await nodeHash(hashes[at], hashes[at + 1]));
      hashes = above;
    }
    return hashes[0];
  }

  // A tile or a bundle; a partial one may be gone once the whole one is there, which begins with it.
  async #wide(level, number, atMost, width) {
    const key = `${level}/${number}`;
    if (!this.tiles.has(key)) {
      const path = `${this.root}tile/${level}/${tileName(number)}`;
      const part = width === WIDTH ? "" : `.p/${width}`;
      this.tiles.set(key, await get(path + part, atMost).catch((error) => {
        if (!part) throw error;
        return get(path, atMost);
      }));
    }
    return this.tiles.get(key);
  }
}

// The largest power of two that is less than a number, and 1 for 1.
function halfOf(number) {
  let half = 1;
  while (2 * half < number) half *= 2;
  return half;
}

// Where a leaf is among all digests, from 0 to 1.
function spot(leaf) {
  return parseInt(leaf.slice(leaf.indexOf('"launch_digest":"') + 17).slice(0, 12), 16) / 2 ** 48;
}

// Whether a leaf is of the same row, and its digest begins as that of another leaf: a range tells no more of it.
function isAlike(entry, leaf) {
  const start = leaf.indexOf('"launch_digest":"') + 17;
  const listed = start + 2 * FRAGMENT;
  const end = leaf.indexOf('"', start);
  return entry.slice(0, listed) === leaf.slice(0, listed) && entry.slice(end) === leaf.slice(end);
}

function tileName(number) {
  const group = (value) => `${value % 1000}`.padStart(3, "0");
  let path = group(number);
  for (let left = Math.floor(number / 1000); left; left = Math.floor(left / 1000)) path = `x${group(left)}/${path}`;
  return path;
}

// JSON as canonical_json of records.py writes it: keys sorted, no blanks, ASCII.
function canonical(value) {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (value === null || typeof value !== "object") {
    return JSON.stringify(value).replace(/[\u007f-\uffff]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);
  }
  return `{${Object.keys(value).sort().map((name) => `${canonical(name)}:${canonical(value[name])}`).join(",")}}`;
}
