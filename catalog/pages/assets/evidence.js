// Evidence, recognised as the command line does (catalog/evidence/sniff.py): only the first bits of its digest leave the browser.

import { Malformed, bytesOfHex, hexOf } from "./bytes.js";
import { note, unknownBits } from "./notes.js";
import { ofReport, ofReportJson } from "./report.js";
import { REPORT_SIZE, isReportJson } from "./report_json.js";
import { valueAt } from "./strict_json.js";

const MAX_EVIDENCE = 1 << 20;
const MAX_OBJECTS = 64;
const HCL_FORM = "attestation report in an Azure HCL blob";
const TDX_QUOTE_SIZE = 48 + 584;
const TDX = "is of Intel TDX, on a platform without public firmware: ldcat knows launch digests of AMD SEV only";
const KNOWN =
  "accepted are: a launch digest in hex or base64; an attestation report of 1,184 bytes, raw, in hex or base64, as JSON of " +
  "the virtee crates or in an Azure HCL blob; LAUNCH_MEASURE data as printed by QMP or virsh domlaunchsecinfo";
const TECHNOLOGIES = { 32: ["sev", "sev-es"], 48: ["sev-snp"] }; // by bytes of a digest
const MEASURED = ["data", "api-major", "api-minor", "build-id", "policy"];
const SEV_POLICY_BITS = 0xffff003fn;

// What these bytes are: { form, digest: hex or null, facts: [[name, value]], notes: [{ code, severity, text }], measured: true
// for an HMAC, isReport, technologies: names of those that it can be of, claimedBy: null or what merely states the digest }.
export function sniff(bytes) {
  if (bytes.length > MAX_EVIDENCE) throw new Malformed(`this is larger than ${MAX_EVIDENCE} bytes`);
  return { claimedBy: null, isReport: false, isOfAzure: false, notes: [], measured: false, ...recognised(bytes) };
}

function recognised(bytes) {
  const found = binary(bytes);
  if (found) return found;
  const text = latin1(bytes).replace(/^[ \t\n\v\f\r]+|[ \t\n\v\f\r]+$/g, "");
  if (text.startsWith("{")) return ofJson(objectsOf(utf8Of(text)));
  if (text.includes("sev-measurement")) return ofLibvirt(text);
  const value = decoded(text.replace(/[ \t\n\v\f\r]+/g, ""));
  if (Object.hasOwn(TECHNOLOGIES, value.length)) {
    return { form: "launch digest", digest: hexOf(value), facts: [], technologies: TECHNOLOGIES[value.length] };
  }
  const inner = binary(value);
  if (inner) return inner;
  throw new Malformed(`this is not a launch digest, an attestation report or LAUNCH_MEASURE data: ${KNOWN}`);
}

function binary(data) {
  const head = hexOf(data.subarray(0, 8));
  if (data.length >= TDX_QUOTE_SIZE && /^0[45]00....81000000$/.test(head)) throw new Malformed(`this quote ${TDX}`);
  if (head.startsWith("48434c41")) {
    if (data[0x20] === 0x81) throw new Malformed(`the report in this Azure HCL blob ${TDX}`);
    return { ...ofReport(data.subarray(0x20, 0x20 + REPORT_SIZE), HCL_FORM), isOfAzure: true };
  }
  if (data.length >= 0x20 + REPORT_SIZE && head === "00000000a0040000") {
    return ofReport(data.subarray(0x20, 0x20 + REPORT_SIZE), "attestation report in a MSG_REPORT_RSP");
  }
  const hasVersion = data.length === REPORT_SIZE && !data[1] && !data[2] && !data[3];
  return hasVersion ? ofReport(data, "attestation report") : null;
}

function ofJson(objects) {
  const merged = new Map();
  for (const one of objects) {
    for (const [key, value] of one) {
      if (MEASURED.includes(key) && merged.has(key) && merged.get(key) !== value) {
        throw new Malformed(`this JSON has two different values of ${key}`);
      }
      merged.set(key, value);
    }
  }
  if (isReportJson(merged)) return ofReportJson(merged, "attestation report");
  if (merged.has("data")) {
    const given = MEASURED.slice(1).map((name) => merged.get(name) ?? null);
    if (given.some((value) => value !== null && typeof value !== "bigint")) {
      throw new Malformed("an API version, build id or policy in this JSON is not a number");
    }
    return ofMeasurement(fromBase64(`${merged.get("data")}`), merged.get("policy") ?? null);
  }
  throw new Malformed(`this JSON is neither an attestation report nor LAUNCH_MEASURE data: ${KNOWN}`);
}

// One object, or several one after the other, as a QMP session prints them; without the wrappings of QMP and of reports.
function objectsOf(text) {
  const found = [];
  for (let at = 0, value; at < text.length; ) {
    [value, at] = valueAt(text, at);
    while (/\s/.test(text[at] ?? "")) at++;
    if (found.length === MAX_OBJECTS) throw new Malformed(`this JSON has more than ${MAX_OBJECTS} objects`);
    for (const wrapping of ["return", "attestation_report"]) {
      if (value instanceof Map && value.get(wrapping) instanceof Map) value = value.get(wrapping);
    }
    if (!(value instanceof Map)) throw new Malformed("this JSON is not an object");
    found.push(value);
  }
  return found;
}

function ofLibvirt(text) {
  const said = new Map();
  for (const [, name, value] of text.matchAll(/^[ \t]*(sev-[a-z-]+)[ \t]*:[ \t]*(\S+)[ \t\r]*$/gm)) {
    if (said.has(name)) throw new Malformed("domlaunchsecinfo has a name twice");
    said.set(name, value);
  }
  for (const name of MEASURED.slice(1)) {
    if (!/^[0-9]+$/.test(said.get(`sev-${name}`) ?? "0")) {
      throw new Malformed("an API version, build id or policy of domlaunchsecinfo is not a number");
    }
  }
  return ofMeasurement(fromBase64(said.get("sev-measurement") ?? ""), said.has("sev-policy") ? BigInt(said.get("sev-policy")) : null);
}

// SEV API (55766), LAUNCH_MEASURE: an HMAC under the TIK, which is never given to a page.
function ofMeasurement(value, policy) {
  if (value.length !== 32 && value.length !== 48) {
    throw new Malformed("the launch measurement is not 32 or 48 bytes in base64: a measurement, or one with its nonce");
  }
  const facts = [["measurement", hexOf(value.subarray(0, 32))]];
  if (value.length === 48) facts.push(["nonce", hexOf(value.subarray(32))]);
  const found = { form: "launch measurement", digest: null, facts, measured: true };
  if (policy === null) return { ...found, technologies: TECHNOLOGIES[32] };
  if (policy < 0n || policy >> 32n) throw new Malformed("the guest policy has more than 32 bits");
  facts.push(["policy", `0x${policy.toString(16)}`]);
  return { ...found, technologies: [policy & 4n ? "sev-es" : "sev"], notes: notesOnSevPolicy(policy) };
}

function notesOnSevPolicy(policy) {
  const notes = [];
  if (!(policy & 1n)) {
    notes.push(note("debug-allowed", "the guest policy allows debugging: the host can read and change the guest's memory"));
  }
  if (!(policy & 2n)) notes.push(note("key-sharing-allowed", "the guest policy allows other guests to share its memory key"));
  if (!(policy & 8n)) notes.push(note("sending-allowed", "the guest policy allows the guest to be sent to another platform"));
  const unknown = unknownBits("policy", policy, SEV_POLICY_BITS);
  if (unknown) notes.push(note("policy-bit-unknown", unknown));
  return notes;
}

function decoded(text) {
  const hex = /^(?:0[xX])?([0-9a-fA-F]+)$/.exec(text)?.[1];
  return hex && hex.length % 2 === 0 ? bytesOfHex(hex) : fromBase64(text);
}

function fromBase64(text) {
  try {
    const value = atob(text);
    return btoa(value) === text ? Uint8Array.from(value, (character) => character.charCodeAt(0)) : new Uint8Array();
  } catch {
    return new Uint8Array();
  }
}

// Text with one character a byte.
function latin1(bytes) {
  let found = "";
  for (let at = 0; at < bytes.length; at += 1 << 13) found += String.fromCharCode(...bytes.subarray(at, at + (1 << 13)));
  return found;
}

function utf8Of(text) {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(Uint8Array.from(text, (one) => one.charCodeAt(0)));
  } catch {
    throw new Malformed("this looks like JSON, but is not UTF-8");
  }
}
