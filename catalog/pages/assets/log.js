// The log, verified here: who signed the checkpoint, the inclusion of a row and of the last release, and revocations.
// Sources: C2SP signed-note, tlog-checkpoint, tlog-cosignature, tlog-tiles, tlog-proof; RFC 6962.

import { fromBase64, hexOf, joined, toBase64, utf8 } from "./bytes.js";
import { FRAGMENT, get } from "./rows.js";
import { MAX_AHEAD, NotProven, freshUntil, signersOf } from "./signers.js";

const WIDTH = 256;
const HASH = 32;
const MAX_NOTE = 1 << 20;
const MAX_BUNDLE = WIDTH * (2 + 65535);
const MAX_REVOCATIONS = 8 << 20;
const EARLIEST = 1577836800; // seconds since 1970: 1 January 2020; no release is older
const MAX_TRUST_STEP = 64; // versions: how far the trust note of a release may be ahead of the page's
const RECORD = ["artifacts", "previous_root", "previous_size", "release", "revocations_chain", "revocations_count",
  "revocations_sha256", "time", "trust_version", "type"]; // known fields of a release record; others may change its meaning
const MOST_ASKED = 40; // entry bundles that are fetched to find a row

const sha256 = async (bytes) => new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
const leafHash = (entry) => sha256(joined([0], entry));
const nodeHash = (left, right) => sha256(joined([1], left, right));

// Why this browser cannot verify anything, or null. WebCrypto exists only on pages of a secure context.
export function cannotVerify() {
  if (globalThis.crypto?.subtle) return null;
  return "this browser cannot verify anything on a page loaded over plain http: use https, or ldcat verify-proof";
}

// Verifies that the log of `catalog` has the row `leaf`. Returns what was verified, and the proof bundle for ldcat verify-proof.
export async function prove(catalog, leaf) {
  const reason = cannotVerify();
  if (reason) throw new NotProven(reason);
  const { trust, release, manifest_sha256: manifest } = catalog.page;
  if (!trust) throw new NotProven("this page came without keys to verify its log with");
  const log = await Log.open(catalog.root, release.origin);
  const signers = await signersOf(log, trust);
  const index = await log.find(catalog.page, leaf);
  const row = await log.inclusion(index, utf8.encode(leaf));
  const last = await log.entry(log.size - 1);
  const status = await log.inclusion(log.size - 1, last);
  const record = JSON.parse(new TextDecoder().decode(last));
  if (record.type !== "release") throw new NotProven("the last leaf of the log is not a release record");
  const fresh = freshUntil(signers, record.time, trust);
  const revocations = await get(`${log.root}releases/${record.release}/revocations.json`, MAX_REVOCATIONS);
  if (hexOf(await sha256(revocations)) !== record.revocations_sha256) {
    throw new NotProven("the revocations are not those that the last release names");
  }
  const text = new TextDecoder().decode(revocations);
  const list = JSON.parse(text);
  if (canonical(list) !== text) throw new NotProven("the revocations are not canonical JSON");
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
    bundle: `${canonical({ format: "ldcat-proof/2", checkpoint: log.note, revocations: list, row, status })}\n`,
  };
}

// Throws NotProven if the release record breaks a rule of catalog/log/release_rules.py or catalog/prove/verify_proof.py.
async function checkRecord(record, list, trust) {
  const unknown = Object.keys(record).filter((name) => !RECORD.includes(name));
  if (unknown.length) throw new NotProven(`the last release says more than this page understands: ${unknown.join(", ")}`);
  const isFalse = (what) => new NotProven(`release ${record.release} is false: ${what}`);
  if (record.time < EARLIEST || record.time > Date.now() / 1000 + MAX_AHEAD) throw isFalse("its time is impossible");
  if ((record.trust_version ?? 0) > trust.version + MAX_TRUST_STEP) throw isFalse("its trust version is impossible");
  if (record.revocations_chain === undefined) return; // written by ldcat 0.1.0
  let chain = "0".repeat(64);
  for (const { selector, severity, reason } of list) {
    const leaf = canonical({ reason, selector, severity, type: "revoke" });
    chain = hexOf(await sha256(utf8.encode(chain + leaf)));
  }
  if (list.length !== record.revocations_count || chain !== record.revocations_chain) {
    throw isFalse("its revocations chain does not match the revocations that it names");
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
    if (at < 0 || !note.endsWith("\n")) throw new NotProven("the checkpoint is not a signed note");
    const signatures = note.slice(at + 2, -1).split("\n").map((line) => {
      const [, name, encoded] = /^\u2014 (\S+) ([A-Za-z0-9+/=]+)$/.exec(line) ?? [];
      if (!name) throw new NotProven("the checkpoint has an invalid signature line");
      const value = fromBase64(encoded);
      return { name, id: hexOf(value.subarray(0, 4)), value: value.subarray(4) };
    });
    const log = new Log(root, note.slice(0, at + 1), signatures, note);
    if (log.origin !== origin) throw new NotProven(`the checkpoint is of ${log.origin}, not of ${origin}`);
    return log;
  }

  // The index of a leaf. It is searched for in the runs of leaves that have its firmware or base, and its kernel hashes.
  async find(page, leaf) {
    const row = JSON.parse(leaf);
    const { axes, runs } = page.families;
    for (const [...run] of runs) {
      const [first, rows] = run.splice(axes.length);
      if (axes.some((name, at) => JSON.stringify(row[name] ?? null) !== page.axes[name][run[at]])) continue;
      const index = await this.#search(leaf, first, first + rows);
      if (index !== null) return index;
    }
    throw new NotProven("the log does not have this row");
  }

  // Interpolation search: within a run of leaves, digests are sorted and evenly distributed.
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
        throw new NotProven("no configuration has this launch digest: the digest of the listed row begins alike, but ends differently");
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

  // The lines of a tlog-proof of a leaf, up to its checkpoint. Throws NotProven if its hashes do not lead to the root of the checkpoint.
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
    return `${lines.join("\n")}\n`;
  }

  // RFC 6962, 2.1.1: the audit path of a leaf in the tree of the leaves from `low` to `high`, the lowest hash first.
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

  // The root of the 2^level leaves from index * 2^level on.
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

  // A tile or an entry bundle. A partial one may be gone once the full one exists, which begins with it.
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

// The largest power of two below a number; 1 for 1.
function halfOf(number) {
  let half = 1;
  while (2 * half < number) half *= 2;
  return half;
}

// The position of a leaf's digest among all possible digests, from 0 to 1.
function spot(leaf) {
  return parseInt(leaf.slice(leaf.indexOf('"launch_digest":"') + 17).slice(0, 12), 16) / 2 ** 48;
}

// True if two leaves differ only behind the first bytes of their digests, which are all that a range has.
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

// JSON as canonical_json of catalog/log/records.py writes it: keys sorted, no blanks, ASCII.
function canonical(value) {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (value === null || typeof value !== "object") {
    return JSON.stringify(value).replace(/[\u007f-\uffff]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);
  }
  return `{${Object.keys(value).sort().map((name) => `${canonical(name)}:${canonical(value[name])}`).join(",")}}`;
}
