// What a TD shows about itself, read as catalog/abi/tdx and catalog/ask/tdx do: quotes of version 4 and 5, and TDREPORTs.
// Source: Intel TDX DCAP Quoting Library API, appendix A.3; Intel TDX Module ABI Reference Specification: little-endian.

import { Malformed, hexOf } from "./bytes.js";
import { note, unknownBits } from "./notes.js";

export const TD_REPORT_SIZE = 584;
const TD_REPORT_15_SIZE = 648;
const QUOTE = "TDX quote"; // form of a quote
const HEADER_SIZE = 48, DESCRIPTOR_SIZE = 6;
const SGX_BODY = 1n, BODY_SIZES = { 2: TD_REPORT_SIZE, 3: TD_REPORT_15_SIZE };
const ECDSA_P256 = 2, QE_CERTIFICATION = 6;
const KEY_SIZE = 64, QE_REPORT_SIZE = 384;
const INTEL_QE = "939a7233f79c4ca9940a0db3957f0607";
const QE_RESERVED = [[20, 32], [96, 128], [160, 192], [262, 304]];
const TDREPORT_RESERVED = [[3, 16], [0xc0, 0xe0], [0x190, 0x200], [0x3c0, 0x400]];
const TDREPORT_PARTS = [[0x108, 0x118], [0x118, 0x180], [0x200, 0x390], [0x80, 0xc0], [0x180, 0x190], [0x390, 0x3c0]];
const ATTRIBUTES = { 0: "debug", 4: "hgs_plus_prof", 5: "perf_prof", 6: "pmt_prof", 16: "icssd", 27: "lass",
  28: "sept_ve_disable", 29: "migratable", 30: "pks", 31: "kl", 62: "tpa", 63: "perfmon" };
const XFAM = Object.fromEntries(["x87", "sse", "avx", "bndregs", "bndcsr", "avx512_opmask", "avx512_zmm_hi256", "avx512_hi16_zmm",
  "pt", "pkru", "pasid", "cet_u", "cet_s", "hdc", "uintr", "lbr", "hwp", "amx_tilecfg", "amx_tiledata", "apx"].entries());
const [UNDER_DEBUG, UNDER_PROFILING] = [0xen, 0xfff0n];
const NOT_COVERED = "RTMR0 to RTMR3 are not looked up: variables, ACPI tables, kernel and command line are measured there, not in MRTD";
const NO_SIGNATURE = "a TDREPORT has no signature, and only the processor that made it can verify its MAC: a quote can be verified";
const ENDS = "the quote ends before the end of its signature";

const number = (data, at, size) => data.subarray(at, at + size).reduceRight((found, byte) => (found << 8n) | BigInt(byte), 0n);
const isZero = (data) => data.every((byte) => byte === 0);
const maskOf = (names) => Object.keys(names).reduce((mask, bit) => mask | (1n << BigInt(bit)), 0n);

// A quote, with a note if `leftOut` fields of another form were not known. Malformed for what cannot be one.
export function ofQuote(raw, leftOut = 0) {
  if (raw.length < HEADER_SIZE + TD_REPORT_SIZE) throw new Malformed(`a TDX quote has at least 632 bytes, not ${raw.length}`);
  const version = Number(number(raw, 0, 2)), teeType = number(raw, 4, 4);
  if (version !== 4 && version !== 5) throw new Malformed(`TDX quote version ${version} is not known to this version`);
  if (teeType !== 0x81n) throw new Malformed(`the quote is of TEE type 0x${teeType.toString(16)}, not of TDX (0x81)`);
  const { at, size, kind } = bodyOf(raw, version);
  const body = raw.subarray(at, at + (BODY_SIZES[kind] ?? TD_REPORT_SIZE));
  const unknown = [];
  if (!isZero(raw.subarray(8, 12))) unknown.push(note("reserved-not-zero", "reserved bytes 8 to 11 of the quote are not zero"));
  const vendor = hexOf(raw.subarray(12, 28));
  if (vendor !== INTEL_QE) unknown.push(note("qe-vendor-unknown", `the vendor of the quoting enclave, ${vendor}, is not Intel`));
  if (!Object.hasOwn(BODY_SIZES, kind)) {
    unknown.push(note("quote-body-unknown", `body type ${kind} is not known to this version: its beginning is read as under TDX 1.0`));
  }
  unknown.push(...unknownIn(body), ...behind(raw, at + size), ...left(leftOut));
  return shown(raw, body, QUOTE, unknown, [["version", `${version}`]], [["QE vendor", vendor]]);
}

// 1,024 bytes: a TDREPORT.
export function ofTdreport(raw) {
  const body = Uint8Array.from(TDREPORT_PARTS.flatMap(([start, end]) => [...raw.subarray(start, end)]));
  const unknown = [note("tdreport-not-signed", NO_SIGNATURE)];
  if (raw[1] || raw[2] > 1) {
    unknown.push(note("report-version-unknown", `TDREPORT subtype ${raw[1]}, version ${raw[2]} is not known to this version`));
  }
  for (const [start, end] of TDREPORT_RESERVED) {
    if (isZero(raw.subarray(start, end))) continue;
    const range = `0x${start.toString(16)} to 0x${(end - 1).toString(16)}`;
    unknown.push(note("reserved-not-zero", `reserved bytes ${range} are not zero`));
  }
  unknown.push(...unknownIn(body));
  return shown(raw, body, "TDREPORT", unknown, [["version", `${raw[2]}`]], []);
}

function bodyOf(raw, version) {
  if (version === 4) return { at: HEADER_SIZE, size: TD_REPORT_SIZE, kind: 2 };
  const kind = number(raw, 48, 2), size = Number(number(raw, 50, 4)), at = HEADER_SIZE + DESCRIPTOR_SIZE;
  if (kind === SGX_BODY) throw new Malformed("the quote has the body of an SGX enclave, though its header is of TDX");
  if (size !== (BODY_SIZES[kind] ?? size) || size < TD_REPORT_SIZE) {
    throw new Malformed(`the body of the quote, of type ${kind}, has ${size} bytes`);
  }
  if (size > raw.length - at) throw new Malformed(`the quote ends within its body of ${size} bytes`);
  return { at, size, kind: Number(kind) };
}

function shown(raw, body, form, unknown, before, after) {
  const digest = hexOf(body.subarray(136, 184)), attributes = number(body, 120, 8);
  return {
    form,
    digest,
    raw,
    facts: [...before, ...factsOf(body), ...after],
    notes: [...onAttributes(attributes), ...onModule(body), ...unknown, note("rtmrs-not-covered", NOT_COVERED)],
    isReport: form === QUOTE, // whether certificates can verify it
    technologies: ["tdx"],
  };
}

function onAttributes(attributes) {
  const named = (mask) => Array.from({ length: 64 }, (_, bit) => bit).filter((bit) => (attributes & mask) >> BigInt(bit) & 1n)
    .map((bit) => ATTRIBUTES[bit] ?? `bit ${bit}`).join(", ");
  const set = (bit) => (attributes >> BigInt(bit)) & 1n;
  const debug = named(UNDER_DEBUG), profiled = named(UNDER_PROFILING);
  return [
    set(0) && note("debug-allowed", "the TD is in debug mode: the host can read and change its memory and registers"),
    debug && note("td-not-trusted", `attribute ${debug}: reserved for TDs that are not to be trusted`),
    profiled && note("td-profiled", `attribute ${profiled}: the host may watch the TD by profiling`),
    set(29) && note("td-migratable",
      "the TD can be migrated: the migration TD that the host binds to it can move it, and has its secrets"),
    !set(28) && note("sept-ve-enabled",
      "SEPT_VE_DISABLE is off: the host can interrupt the TD at any access to memory, unless it forbids that"),
  ].filter(Boolean);
}

function onModule(body) {
  const text = "MRSIGNERSEAM is not zero: the TDX module is not one that Intel has signed";
  return isZero(body.subarray(64, 112)) ? [] : [note("td-module-not-intel", text)];
}

function unknownIn(body) {
  const attributes = unknownBits("TD attribute", number(body, 120, 8), maskOf(ATTRIBUTES));
  const xfam = unknownBits("XFAM", number(body, 128, 8), maskOf(XFAM));
  const seam = number(body, 112, 8), text = `SEAMATTRIBUTES are 0x${seam.toString(16)}: this version knows none of the bits`;
  return [
    attributes && note("td-attribute-unknown", attributes),
    xfam && note("xfam-bit-unknown", xfam),
    seam && note("td-attribute-unknown", text),
  ].filter(Boolean);
}

// Notes on the signature, and on what follows it. start: where the body ends.
function behind(raw, start) {
  const at = start + 4, size = Number(number(raw, start, 4)), end = at + size;
  if (raw.length < at || size > raw.length - at) return [note("quote-signature-unreadable", ENDS)];
  const count = (raw.length - end).toLocaleString("en-US");
  const trailing = isZero(raw.subarray(end)) ? []
    : [note("reserved-not-zero", `${count} bytes follow the quote, which its signature does not cover`)];
  const keyType = number(raw, 2, 2);
  if (keyType !== BigInt(ECDSA_P256)) {
    const text = `attestation key type ${keyType} is not known to this version, so the signature is not read`;
    return [note("signature-algorithm-unknown", text), ...trailing];
  }
  return [...onSignature(raw.subarray(at, end)), ...trailing];
}

function onSignature(data) {
  const outer = reader(data);
  try {
    outer.take(2 * KEY_SIZE);
    const [kind, certified] = outer.typed();
    outer.end();
    if (kind !== QE_CERTIFICATION) throw new Malformed(`its certification data are of type ${kind}, not ${QE_CERTIFICATION}`);
    const inner = reader(certified), report = inner.take(QE_REPORT_SIZE);
    inner.take(KEY_SIZE);
    inner.sized(2);
    inner.typed();
    inner.end();
    return QE_RESERVED.filter(([start, end]) => !isZero(report.subarray(start, end))).map(([start, end]) =>
      note("reserved-not-zero", `reserved bytes ${start} to ${end - 1} of the report of the QE are not zero`));
  } catch (error) {
    if (!(error instanceof Malformed)) throw error;
    return [note("quote-signature-unreadable", `the signature of the quote is not read: ${error.message}`)];
  }
}

// Bytes, taken one part after the other.
function reader(data) {
  let at = 0;
  const take = (size) => {
    if (size > data.length - at) throw new Malformed("it is cut short");
    at += size;
    return data.subarray(at - size, at);
  };
  const count = (size) => Number(number(take(size), 0, size));
  const sized = (size) => take(count(size));
  const end = () => {
    if (at < data.length) throw new Malformed("more follows its last part");
  };
  return { take, sized, typed: () => [count(2), sized(4)], end };
}

function left(count) {
  const what = count === 1 ? "1 field of the report is" : `${count} fields of the report are`;
  const text = `${what} not known to this version and left out, so the signature may not verify`;
  return count ? [note("report-field-unknown", text)] : [];
}

function factsOf(body) {
  const register = (at) => (isZero(body.subarray(at, at + 48)) ? "0" : hexOf(body.subarray(at, at + 48)));
  const facts = [
    ["MRSEAM", register(16)],
    ["MRSIGNERSEAM", register(64)],
    ["TEE_TCB_SVN", hexOf(body.subarray(0, 16))],
    ["attributes", bitsOf(number(body, 120, 8), ATTRIBUTES)],
    ["XFAM", bitsOf(number(body, 128, 8), XFAM)],
    ["MRCONFIGID", register(184)],
    ["MROWNER", register(232)],
    ["MROWNERCONFIG", register(280)],
    ...[0, 1, 2, 3].map((one) => [`RTMR${one}`, register(328 + 48 * one)]),
    ["REPORTDATA", hexOf(body.subarray(520, 584))],
  ];
  if (body.length === TD_REPORT_SIZE) return facts;
  return [...facts, ["TEE_TCB_SVN_2", hexOf(body.subarray(584, 600))], ["MRSERVICETD", register(600)]];
}

function bitsOf(value, names) {
  const bits = Array.from({ length: 64 }, (_, bit) => bit).filter((bit) => (value >> BigInt(bit)) & 1n);
  return `0x${value.toString(16)} (${bits.map((bit) => names[bit] ?? `bit ${bit}`).join(", ") || "none"})`;
}
