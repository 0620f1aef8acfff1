// An attestation report in JSON, put back into its bytes as catalog/abi/report_json.py does.

import { Malformed, bytesOfHex } from "./bytes.js";

export const REPORT_SIZE = 1184;

const NUMBERS = { // offset and size in bytes, little-endian
  version: [0x000, 4], guest_svn: [0x004, 4], policy: [0x008, 8], vmpl: [0x030, 4], sig_algo: [0x034, 4], plat_info: [0x040, 8],
  key_info: [0x048, 4], _author_key_en: [0x048, 4], _reserved_0: [0x04c, 4], cpuid_fam_id: [0x188, 1], cpuid_mod_id: [0x189, 1],
  cpuid_step: [0x18a, 1], current_build: [0x1e8, 1], current_minor: [0x1e9, 1], current_major: [0x1ea, 1], _reserved_2: [0x1eb, 1],
  committed_build: [0x1ec, 1], committed_minor: [0x1ed, 1], committed_major: [0x1ee, 1], _reserved_3: [0x1ef, 1],
  launch_mit_vector: [0x1f8, 8], current_mit_vector: [0x200, 8],
};
const BYTES = {
  family_id: [0x010, 16], image_id: [0x020, 16], report_data: [0x050, 64], measurement: [0x090, 48], host_data: [0x0c0, 32],
  id_key_digest: [0x0e0, 48], author_key_digest: [0x110, 48], report_id: [0x140, 32], report_id_ma: [0x160, 32],
  _reserved_1: [0x188, 24], chip_id: [0x1a0, 64], _reserved_4: [0x1f8, 168],
};
const SIGNATURE = { r: [0x2a0, 72], s: [0x2e8, 72], _reserved: [0x330, 368] };
const TCBS = { current_tcb: 0x038, reported_tcb: 0x180, committed_tcb: 0x1e0, launch_tcb: 0x1f0 };
const VERSIONS = { current: 0x1e8, committed: 0x1ec };
const VERSION_PARTS = ["build", "minor", "major"];
const LAYOUTS = [ // of TCB versions, before Turin, since Turin, and since Venice
  { bootloader: 0, tee: 1, snp: 6, microcode: 7 },
  { fmc: 0, bootloader: 1, tee: 2, snp: 3, microcode: 7 },
  { fmc: 0, tee: 1, snp: 2 },
];
const TCB_PARTS = ["fmc", "bootloader", "microcode", "_reserved"]; // that not every product or crate has
const NAMES_OF_1_1 = new Map([["boot_loader", "bootloader"], ["reserved", "_reserved"]]); // in a TCB version
const NEEDED = ["version", "policy", "measurement", "signature"];
const OPTIONAL_BYTES = ["_reserved_1", "_reserved_4"];

export const isReportJson = (fields) => NEEDED.every((name) => fields.has(name));

// The 1,184 bytes from a Map of fields, and the number of fields that are unknown and not null.
export function reportFromJson(fields) {
  const raw = new Uint8Array(REPORT_SIZE);
  const needed = [...NEEDED, ...Object.keys(TCBS), ...Object.keys(BYTES)].filter((name) => !OPTIONAL_BYTES.includes(name));
  const missing = needed.filter((name) => !fields.has(name)).sort();
  if (missing.length) throw new Malformed(`the report in JSON has no ${missing[0]}`);
  let unknown = 0;
  const members = (...object) => {
    const [known, more] = objectOf(...object);
    unknown += more;
    return known;
  };
  for (const [name, value] of fields) {
    if (value === null && !NEEDED.includes(name)) continue; // a field that this version does not have
    if (Object.hasOwn(NUMBERS, name)) putNumber(raw, value, ...NUMBERS[name], name);
    else if (Object.hasOwn(BYTES, name)) putBytes(raw, value, ...BYTES[name], name);
    else if (Object.hasOwn(TCBS, name)) raw.set(tcbOf(members(renamed(value), name, ["tee", "snp"], TCB_PARTS), name), TCBS[name]);
    else if (Object.hasOwn(VERSIONS, name)) {
      for (const [part, number] of members(value, name, VERSION_PARTS)) {
        putNumber(raw, number, VERSIONS[name] + VERSION_PARTS.indexOf(part), 1, `${name}.${part}`);
      }
    } else if (name === "signature") {
      for (const [part, data] of members(value, name, ["r", "s"], ["_reserved"])) {
        putBytes(raw, data, ...SIGNATURE[part], `signature.${part}`);
      }
    } else unknown++;
  }
  return [raw, unknown];
}

function putNumber(raw, given, at, size, name) {
  const value = typeof given === "number" && Number.isInteger(given) ? BigInt(given) : given;
  if (typeof value !== "bigint" || value < 0n || value >= 1n << BigInt(8 * size)) {
    throw new Malformed(`field ${name} of the report is not an unsigned number of ${8 * size} bits`);
  }
  for (let part = 0; part < size; part++) raw[at + part] = Number((value >> BigInt(8 * part)) & 255n);
}

function putBytes(raw, value, at, size, name) {
  const data = bytesOf(value);
  if (data?.length !== size) throw new Malformed(`field ${name} of the report is not ${size} bytes, as hex or a list of numbers`);
  raw.set(data, at);
}

function bytesOf(value) {
  if (typeof value === "string") {
    const isHex = /^[ \t\n\v\f\r]*(?:[0-9a-fA-F]{2}[ \t\n\v\f\r]*)*$/.test(value);
    return isHex ? bytesOfHex(value.replace(/[ \t\n\v\f\r]/g, "")) : null;
  }
  const isBytes = Array.isArray(value) && value.every((byte) => typeof byte === "bigint" && byte >= 0n && byte < 256n);
  return isBytes ? Uint8Array.from(value, Number) : null;
}

function renamed(value) {
  return value instanceof Map ? new Map([...value].map(([name, part]) => [NAMES_OF_1_1.get(name) ?? name, part])) : value;
}

// The 8 bytes of a TCB version; crates before 6 keep its reserved bytes, which on Turin are components.
function tcbOf(parts, name) {
  const packed = new Uint8Array(8);
  const given = [...parts.keys()].filter((part) => part !== "_reserved");
  const layout = LAYOUTS.find((one) => given.length === Object.keys(one).length && given.every((part) => Object.hasOwn(one, part)));
  if (!layout) throw new Malformed(`field ${name} of the report has components that no TCB version has together`);
  for (const part of given) putNumber(packed, parts.get(part), layout[part], 1, `${name}.${part}`);
  if (parts.has("_reserved")) {
    if (parts.has("fmc")) throw new Malformed(`field ${name} of the report has both fmc and reserved bytes, as no crate writes it`);
    putBytes(packed, parts.get("_reserved"), 2, 4, `${name}._reserved`);
  }
  return packed;
}

// The known members of an object that are not null, and the number of others.
function objectOf(value, name, needed, optional = []) {
  const members = value instanceof Map ? [...value].filter(([, part]) => part !== null) : [];
  const known = new Map(members.filter(([key]) => needed.includes(key) || optional.includes(key)));
  if (needed.every((part) => known.has(part))) return [known, members.length - known.size];
  throw new Malformed(`field ${name} of the report must have: ${[...needed].sort().join(", ")}`);
}
