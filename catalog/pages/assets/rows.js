// Rows of the catalog: a lookup fetches the file of one range and looks at nothing else.

import { hexOf } from "./bytes.js";
import { placeOf } from "./exports.js";
import { checkKernel, kernelFacts } from "./kernels.js";
import { note, worstFirst } from "./notes.js";

export const FRAGMENT = 16; // bytes of a digest that stand in a range
const MAX_RANGE = 128 << 10;
const MAX_PAGE = 64 << 20;

export class Unreachable extends Error {}

// A file below the page, whole and within 30 seconds; else Unreachable is thrown. atMost: bytes. cache: "no-cache" for a
// file that may change.
export async function get(path, atMost, cache = "default") {
  const how = { signal: AbortSignal.timeout(30_000), credentials: "omit", redirect: "error", cache };
  try {
    const response = await fetch(path, how);
    if (response.ok) return await bodyOf(response, path, atMost);
    throw new Unreachable(`${path} cannot be fetched: status ${response.status}`);
  } catch (error) {
    throw error instanceof Unreachable ? error : new Unreachable(`${path} cannot be fetched: ${error.message}`);
  }
}

async function bodyOf(response, path, atMost) {
  const parts = [];
  let size = 0;
  for (const reader = response.body.getReader(); ; ) {
    const { done, value } = await reader.read();
    if (done) break;
    size += value.length;
    if (size > atMost) {
      await reader.cancel();
      throw new Unreachable(`${path} has more than ${atMost} bytes`);
    }
    parts.push(value);
  }
  const whole = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

export class Catalog {
  // page: page.json; root: the folder of the log, relative to the page.
  constructor(page, root) {
    this.page = page;
    this.root = root;
  }

  static async open(root) {
    return new Catalog(JSON.parse(new TextDecoder().decode(await get(`${root}page.json`, MAX_PAGE, "no-cache"))), root);
  }

  // How many of the first bits of a digest name its range.
  get prefixBits() {
    return this.page.range.prefix_bits;
  }

  rangeOf(digest) {
    const bits = this.prefixBits;
    const number = bits ? parseInt(digest.slice(0, 8), 16) >>> (32 - bits) : 0;
    return number.toString(16).padStart(Math.ceil(bits / 4) || 1, "0");
  }

  // Every row with a digest, in hex, as `matches`: { technology, facts, notes, revoked, place, record, image, leaf }; and `notes`
  // about what this page does not know. Throws NotMeasured for a kernel that does not have the hashes of its row: all that is
  // shown follows from the leaf, except the publisher's claims.
  async lookup(digest) {
    const { folder, entry_size: size } = this.page.range;
    const data = await get(`${this.root}${folder}${this.rangeOf(digest)}`, MAX_RANGE);
    if (data.length % size) throw new Unreachable("the host's answer is not a range");
    const fragment = digest.slice(0, 2 * FRAGMENT);
    const matches = [];
    const notes = new Map(this.page.notes.map((one) => [one.text, one]));
    for (let at = 0; at < data.length; at += size) {
      if (hexOf(data.subarray(at, at + FRAGMENT)) !== fragment) continue;
      const texts = this.#rowOf(data.subarray(at + FRAGMENT, at + size));
      const technology = JSON.parse(texts.technology);
      if (Object.hasOwn(this.page.digest_digits, technology)) matches.push(...await this.#matches(digest, texts));
      else {
        const text = `a row of technology ${technology}, which this page does not know, is listed with a digest that begins so`;
        notes.set(text, note("technology-unknown", text));
      }
    }
    return { matches: matches.sort((a, b) => compare(a.order, b.order)), notes: [...notes.values()] };
  }

  // The fields of a row as its leaf writes them, from the number of the row: docs/ranges.md.
  #rowOf(number) {
    let left = BigInt(`0x${hexOf(number)}`);
    const row = {};
    for (const [name, texts] of Object.entries(this.page.axes).reverse()) {
      const count = BigInt(texts.length || 1);
      row[name] = texts[Number(left % count)];
      left /= count;
    }
    if (left || Object.values(row).includes(undefined)) throw new Unreachable("a range has a row outside the axes of its index");
    return row;
  }

  // The facts that follow from the components of a row: JSON texts by field, without those that the components lack.
  #factsOf(row) {
    const found = {};
    for (const [name, { of, texts }] of Object.entries(this.page.facts)) {
      const key = of.map((field) => row[field]).find((value) => value !== null);
      if (Object.hasOwn(texts, key)) found[name] = texts[key];
    }
    return found;
  }

  // The text in parentheses behind a value of a row.
  #detailsOf(name, value) {
    if (name === "vmm") return ` (${this.page.vmm[value]})`;
    return name === "vcpu_signature" ? ` (${this.page.vcpu_types[value] ?? "no name"})` : "";
  }

  // Whether a build is expected to launch as a row says, with notes: a hosted VMM launches the builds of its platform only.
  #launchOf(build, row) {
    const launch = build.launch[row.technology], hosted = this.page.hosted[row.vmm];
    if (!hosted || hosted.distribution === build.distribution) return launch;
    return { ...launch, launchable: hosted.launchable, notes: hosted.notes[row.technology] };
  }

  async #matches(digest, inputs) {
    const known = parsed(inputs);
    const texts = { ...inputs, ...this.#factsOf(known) };
    const absent = Object.fromEntries(this.page.fields.map(({ name }) => [name, null]));
    const row = { ...absent, ...parsed(texts) };
    const shown = this.page.fields.filter(({ name }) => row[name] !== null)
      .map(({ name, label }) => [label, `${row[name]}${this.#detailsOf(name, row[name])}`]);
    if (digest.length !== this.page.digest_digits[row.technology]) return [];
    const record = { ...row, launch_digest: digest };
    const revoked = revocationOf(record, this.page.revocations);
    const found = [];
    const show = (name, kernel, facts, notes) => found.push({
      technology: row.technology,
      facts,
      notes: worstFirst([...(revoked ? [note(revoked.severity, `${revoked.severity} by the publisher of this log: ${revoked.reason}`)] : []),
        ...notes]),
      revoked: revoked?.severity ?? null,
      place: this.page.exports.technologies.includes(row.technology) ? placeOf(this.page, row, revoked?.severity === "revoked") : null,
      order: [row.technology, name, kernel?.name ?? "", row.vmm ?? "", row.vcpu_signature ?? "", row.sev_features, row.vcpus],
      record,
      image: row.firmware_sha256 ?? row.firmware_snp_baseline, // null: it is inferred, and its firmware is not known
      leaf: leafOf(texts, digest),
    });
    if (row.base_digest !== null) {
      for (const base of this.page.bases[row.base_digest]) show(base.name, null, [...baseFacts(base, row), ...shown], [base.note]);
      return found;
    }
    for (const build of this.page.firmware[row.firmware_sha256 ?? row.firmware_snp_baseline]) {
      const measured = row.kernel_hashes_sha256 !== null;
      for (const kernel of measured ? this.page.kernel_hashes[row.kernel_hashes_sha256] : [null]) {
        if (kernel) await checkKernel(row.kernel_hashes_sha256, kernel);
        const launch = this.#launchOf(build, row);
        show(build.name, kernel, [...buildFacts(build, row), ...kernelFacts(kernel, launch.no_kernel), ...shown,
          ["launchable", launch.launchable]],
          [measured ? build.kernel_note : launch.no_kernel_note, ...launch.notes]);
      }
    }
    return found;
  }
}

// The values of JSON texts.
function parsed(texts) {
  return Object.fromEntries(Object.entries(texts).map(([name, text]) => [name, JSON.parse(text)]));
}

const NOT_KNOWN = "not known"; // the same as in catalog/fast/match_text.py, as the names of these facts

function buildFacts(build, row) {
  const hash = row.firmware_sha256 === null
    ? [["firmware SHA-256", NOT_KNOWN], ["firmware SNP baseline", row.firmware_snp_baseline]]
    : [["firmware SHA-256", row.firmware_sha256]];
  const given = [["firmware version", build.firmware_version], ["published in", build.published_in]];
  return [["firmware", build.name], ...hash, ...given.filter(([, value]) => value !== null)];
}

function baseFacts(base, row) {
  return [["firmware", NOT_KNOWN], ["follows from", base.name], ["base launch digest", row.base_digest],
    ["base vCPUs", `${base.vcpus}`], ["base endorser", base.endorser]];
}

// The revocation or deprecation of a row, or null. The newest revoke record that selects the row counts: docs/log.md.
export function revocationOf(record, revocations) {
  const isKnown = (name) => name !== "kernel_hashes_sha256" || !record.base_digest; // null is "not known" there
  const selects = ({ selector }) =>
    Object.entries(selector).every(([name, value]) => record[name] === value && isKnown(name));
  const newest = revocations.findLast(selects);
  return newest && newest.severity !== "restored" ? newest : null;
}

const OPTIONAL = ["base_digest", "firmware_snp_baseline"]; // fields that a leaf leaves out if they are null

// The leaf of a row: canonical JSON, keys sorted.
function leafOf(texts, digest) {
  const given = Object.entries(texts).filter(([name, text]) => text !== "null" || !OPTIONAL.includes(name));
  const all = { ...Object.fromEntries(given), launch_digest: `"${digest}"`, type: '"digest"' };
  return `{${Object.keys(all).sort().map((name) => `"${name}":${all[name]}`).join(",")}}`;
}

function compare(a, b) {
  for (let at = 0; at < a.length; at++) {
    if (a[at] !== b[at]) return a[at] < b[at] ? -1 : 1;
  }
  return 0;
}
