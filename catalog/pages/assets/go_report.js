// Attestation reports as go-sev-guest keeps them, put back into their bytes as catalog/abi/go_report.py does.

import { Malformed, fromBase64 } from "./bytes.js";
import { REPORT_SIZE } from "./report_json.js";

const NUMBERS = { // offset and size in bytes, little-endian
  version: [0x000, 4], guestsvn: [0x004, 4], policy: [0x008, 8], vmpl: [0x030, 4], signaturealgo: [0x034, 4],
  currenttcb: [0x038, 8], platforminfo: [0x040, 8], signerinfo: [0x048, 4], reportedtcb: [0x180, 8], committedtcb: [0x1e0, 8],
  currentbuild: [0x1e8, 1], currentminor: [0x1e9, 1], currentmajor: [0x1ea, 1], committedbuild: [0x1ec, 1],
  committedminor: [0x1ed, 1], committedmajor: [0x1ee, 1], launchtcb: [0x1f0, 8], launchmitvector: [0x1f8, 8],
  currentmitvector: [0x200, 8],
};
const BYTES = {
  familyid: [0x010, 16], imageid: [0x020, 16], reportdata: [0x050, 64], measurement: [0x090, 48], hostdata: [0x0c0, 32],
  idkeydigest: [0x0e0, 48], authorkeydigest: [0x110, 48], reportid: [0x140, 32], reportidma: [0x160, 32], chipid: [0x1a0, 64],
  signature: [0x2a0, 512],
};
const CPUID = "cpuid1eaxfms";

// Whether a Map has fields of a Report, with bytes as bytes or base64.
export function isGoReport(fields) {
  return ["version", "policy", "measurement", "signature"].every((name) => fields.has(name)) &&
    bytesOf(fields.get("measurement"), 48) !== null && bytesOf(fields.get("signature"), 512) !== null;
}

// The 1,184 bytes, and the number of fields that are unknown and not null; Malformed for a field of another type or size.
export function goReport(fields) {
  const raw = new Uint8Array(REPORT_SIZE);
  let unknown = 0;
  for (const [given, value] of fields) {
    const name = String(given).toLowerCase().replaceAll("_", "");
    if (Object.hasOwn(NUMBERS, name)) {
      const [at, size] = NUMBERS[name];
      raw.set(numberOf(value, size), at);
    } else if (Object.hasOwn(BYTES, name)) {
      const [at, size] = BYTES[name], data = bytesOf(value, size);
      if (!data) throw new Malformed(`a field of this report of go-sev-guest is not ${size} bytes in base64`);
      raw.set(data, at);
    } else if (name === CPUID) raw.set(cpuidOf(numberOf(value, 4)), 0x188);
    else if (value !== null) unknown++;
  }
  return [raw, unknown];
}

function numberOf(given, size) {
  const value = typeof given === "string" && /^[0-9]{1,20}$/.test(given) ? BigInt(given) : given;
  if (typeof value !== "bigint" || value < 0n || value >> BigInt(8 * size)) {
    throw new Malformed(`a field of this report of go-sev-guest is not an unsigned number of ${8 * size} bits`);
  }
  return Uint8Array.from({ length: size }, (_, at) => Number((value >> BigInt(8 * at)) & 255n));
}

// Bytes of this size; null for anything else.
function bytesOf(given, size) {
  const data = typeof given === "string" ? standardBase64(given) : given;
  return data instanceof Uint8Array && data.length === size ? data : null;
}

// Bytes of base64 or base64url; null for another text.
export function standardBase64(text) {
  const standard = text.replaceAll("-", "+").replaceAll("_", "/");
  return /^[A-Za-z0-9+/]*={0,2}$/.test(standard) && standard.length % 4 === 0 ? fromBase64(standard) : null;
}

// Family, model and stepping, extended parts included, of CPUID leaf 1, register EAX.
function cpuidOf([low, second, third, high]) {
  const eax = low | (second << 8) | (third << 16) | (high << 24);
  const family = (eax >> 8) & 15, model = (eax >> 4) & 15;
  return [(family + ((eax >> 20) & 255)) & 255, model | ((eax >> 12) & 0xf0), eax & 15];
}
