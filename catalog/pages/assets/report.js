// An attestation report, read as catalog/abi/report.py does: what a newer version puts into reserved bits and bytes is a note.
// Source: SEV-SNP ABI (56860), 7.3, ATTESTATION_REPORT: little-endian.

import { Malformed, hexOf } from "./bytes.js";
import { DEBUG_ALLOWED, note, unknownBits } from "./notes.js";
import { HOST_REQUESTED, reportFacts } from "./report_facts.js";
import { REPORT_SIZE } from "./report_json.js";
import { BEFORE_TURIN, LAYOUTS, SINCE_TURIN, productOf, tcbFits } from "./tcb.js";

const NEWEST_VERSION = 5;
const SIGNED_SIZE = 0x2a0;
const [VCEK, VLEK, UNSIGNED] = [0, 1, 7]; // signing keys
const ECDSA_P384_SHA384 = 1;
const POLICY_BITS = bits(16, 18, 19, 20, 21, 22, 23, 24, 25) | 0xffffn;
const POLICY_ONES = bits(17);
const PLATFORM_BITS = 0xffn;
const KEY_BITS = 0x1fn;
const DEBUG = bits(19);
const MIGRATE_MA = bits(18);
const TCBS = [0x38, 0x180, 0x1e0, 0x1f0];

function bits(...numbers) {
  return numbers.reduce((mask, bit) => mask | (1n << BigInt(bit)), 0n);
}

// What the 1,184 bytes are, as `sniff` says it. Malformed for another length, for zeros, and for a version before 2.
export function ofReport(raw, form) {
  if (raw.length !== REPORT_SIZE) throw new Malformed(`an attestation report has ${REPORT_SIZE} bytes, not ${raw.length}`);
  if (isZero(raw)) throw new Malformed("all bytes of the attestation report are zero");
  const report = fieldsOf(raw);
  if (report.version < 2) throw new Malformed(`invalid attestation report version ${report.version}`);
  const digest = hexOf(raw.subarray(0x90, 0xc0));
  return {
    form,
    digest,
    facts: reportFacts(report, knownLayout(report)),
    notes: [...notesOn(report), ...unknownIn(report)],
    raw,
    isReport: true,
    technologies: ["sev-snp"],
  };
}

// A report of which only the fields were given, put back into its bytes: with a note if some fields are unknown.
export function ofConverted(raw, unknown, form) {
  const report = ofReport(raw, form);
  if (!unknown) return report;
  const what = unknown === 1 ? "1 field of the report is" : `${unknown} fields of the report are`;
  const text = `${what} not known to this version and left out, so the signature may not verify`;
  return { ...report, notes: [...report.notes, note("report-field-unknown", text)] };
}

function fieldsOf(raw) {
  const view = new DataView(raw.buffer, raw.byteOffset, raw.byteLength);
  const version = view.getUint32(0, true), keys = view.getUint32(0x48, true);
  const [family, model] = version < 3 ? [null, null] : [raw[0x188], raw[0x189]];
  return {
    raw, version, keys, family, model,
    guestSvn: view.getUint32(4, true),
    policy: view.getBigUint64(8, true),
    vmpl: view.getUint32(0x30, true),
    algorithm: view.getUint32(0x34, true),
    platform: view.getBigUint64(0x40, true),
    signingKey: (keys >> 2) & 7,
    product: family === null ? null : productOf(family, model),
  };
}

// What a guest policy allows the host to do.
export function notesOnPolicy(policy) {
  const notes = [];
  if (policy & DEBUG) {
    notes.push(note("debug-allowed", DEBUG_ALLOWED));
  }
  if (policy & MIGRATE_MA) {
    notes.push(note("migration-agent-allowed", "the guest policy allows a migration agent, which can move the guest and has its secrets"));
  }
  return notes;
}

// The note on bits of a guest policy that this version does not know, if there are any.
export function unknownInPolicy(policy) {
  const text = unknownBits("policy", policy, POLICY_BITS, POLICY_ONES);
  return text ? [note("policy-bit-unknown", text)] : [];
}

function notesOn({ policy, vmpl, signingKey }) {
  const notes = notesOnPolicy(policy);
  if (vmpl === HOST_REQUESTED) {
    notes.push(note("requested-by-host", "this report was requested by the host, not by software in the guest"));
  } else if (vmpl) {
    notes.push(note("vmpl-above-0", `the report is of VMPL ${vmpl}: something else, at VMPL 0, can be between it and the launch`));
  }
  if (signingKey === VLEK) {
    notes.push(note("signed-by-vlek", "the report is signed by a VLEK, a key of a cloud provider, whose firmware may not be public"));
  }
  return notes;
}

// A note on each field that has what this version does not know, in the order of the fields.
function unknownIn(report) {
  const { raw, version, vmpl, keys, signingKey, algorithm } = report;
  const notes = [];
  if (version > NEWEST_VERSION) {
    notes.push(note("report-version-unknown",
      `report version ${version} is not known to this version: it is read as version ${NEWEST_VERSION}`));
  }
  const add = (code, text) => text && notes.push(note(code, text));
  notes.push(...unknownInPolicy(report.policy));
  if (vmpl > 3 && vmpl !== HOST_REQUESTED) add("vmpl-unknown", `VMPL ${vmpl} is not known to this version, which knows 0 to 3`);
  add("platform-bit-unknown", unknownBits("platform_info", report.platform, PLATFORM_BITS));
  add("key-info-unknown", unknownBits("key_info", BigInt(keys), KEY_BITS));
  if (![VCEK, VLEK, UNSIGNED].includes(signingKey)) add("key-info-unknown", `signing key ${signingKey} is not known to this version`);
  if (report.family !== null && !report.product) {
    add("product-unknown", `processor family ${hex(report.family)}, model ${hex(report.model)} is not known to this version`);
  }
  add("tcb-layout-unknown", unknownLayout(report));
  if (algorithm !== ECDSA_P384_SHA384 && signingKey !== UNSIGNED) {
    add("signature-algorithm-unknown",
      `signature algorithm ${algorithm} is not known to this version, so the signature cannot be verified`);
  }
  for (const [start, end] of reservedOf(version)) {
    if (!isZero(raw.subarray(start, end))) add("reserved-not-zero", notZero(start, end));
  }
  return notes;
}

function notZero(start, end) {
  if (end - start === 1) return `reserved byte ${hex(start)} is not zero`;
  const unsigned = start > SIGNED_SIZE ? "; they follow the signature, which does not cover them" : "";
  return `reserved bytes ${hex(start)} to ${hex(end - 1)} are not zero${unsigned}`;
}

// The reserved ranges of a version outside the fields.
function reservedOf(version) {
  return [[0x4c, 0x50], [version < 3 ? 0x188 : 0x18b, 0x1a0], [0x1eb, 0x1ec], [0x1ef, 0x1f0],
    [version < 5 ? 0x1f8 : 0x208, SIGNED_SIZE], [0x330, REPORT_SIZE]];
}

// The layout of the TCB versions by the product, else by the family, else (version 2) by the chip id, which has 8 bytes
// since Turin; null for an unknown product of another family than Milan and Genoa.
function expectedLayout({ raw, product, family }) {
  if (product) return product.layout;
  if (family !== null) return family === 0x19 ? BEFORE_TURIN : null;
  const chip = raw.subarray(0x1a0, 0x1e0);
  return !isZero(chip) && isZero(chip.subarray(8)) ? SINCE_TURIN : BEFORE_TURIN;
}

const fits = (report, layout) => TCBS.every((at) => tcbFits(report.raw.subarray(at, at + 8), layout));

// The layout of the TCB versions; null if it is unknown.
function knownLayout(report) {
  const expected = expectedLayout(report);
  return expected && fits(report, expected) ? expected : null;
}

// Why the layout of the TCB versions is unknown; null if it is known.
function unknownLayout(report) {
  if (knownLayout(report)) return null;
  const text = "the layout of the report's TCB versions is not known to this version";
  const fitting = LAYOUTS.filter((layout) => fits(report, layout)).map(({ products }) => products);
  if (!expectedLayout(report) || !fitting.length) return text;
  return `${text}; it is that of another product (${fitting.join(", ")}), so a tool may have rewritten the report`;
}

const isZero = (bytes) => bytes.every((byte) => byte === 0);
const hex = (number) => `0x${number.toString(16)}`;
