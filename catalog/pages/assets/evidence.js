// Evidence, recognised as the command line does (catalog/evidence/sniff.py): only the first bits of its digest leave the browser.

import { Malformed } from "./bytes.js";
import { mapOfCbor, mapOfMessagePack } from "./cbor.js";
import { certificatesOfMembers } from "./certificates.js";
import { decoded, fromBase64, isHex, linesOf, stripped } from "./codings.js";
import { ofLibvirt, ofQmp } from "./launch_measure.js";
import { isDigestSize, ofDigest, ofMembers, readFrom } from "./members.js";
import { note } from "./notes.js";
import { HCL_FORM, ofBytes as ofRawBytes } from "./raw_bytes.js";
import { objectsOf, parsed } from "./strict_json.js";
import { digestInText, digestOfLine, dumped } from "./texts.js";

const MAX_EVIDENCE = 1 << 20;
const FEWEST_DIGITS = 8; // of what may be meant as a digest
const BRACE = 0x7b; // {
const DEEPEST = 2; // JSON in base64 in JSON is read, and nothing deeper
const CSV = "this is evidence of Hygon CSV: its attestation_report has no version, policy and signature of AMD SEV";
const NOT_VERIFIED = "the signature of this token is not verified: anyone can write such a token";
const KNOWN = "Accepted are a launch digest; an attestation report, alone or in evidence, tokens, dumps and texts of usual tools; " +
  "an ID block; LAUNCH_MEASURE data as printed by QMP or virsh domlaunchsecinfo.";
const UNKNOWN = "this is not a launch digest, an attestation report or LAUNCH_MEASURE data";

// What these bytes are: { form, digest: hex or null, technologies: names of those that it can be of, facts: [[name, value]],
// notes: [{ code, severity, text }], claimedBy: null or what merely states the digest, certificates: in DER, isDigest: whether
// it is nothing but a digest, measured: true for an HMAC, isReport, isOfAzure }.
export function sniff(bytes) {
  if (bytes.length > MAX_EVIDENCE) throw new Malformed(`this is larger than ${MAX_EVIDENCE} bytes`);
  const found = recognised(bytes);
  return { notes: [], claimedBy: null, certificates: [], isDigest: false, measured: false, isReport: false,
    isOfAzure: found.form.startsWith(HCL_FORM), ...found };
}

// The lines of a batch: [{ number, digest: as of `sniff`, or null }]; none for input that is no batch.
export function readBatch(bytes) {
  const text = bytes.length > MAX_EVIDENCE ? null : textOf(bytes);
  if (text === null || text.startsWith("{")) return [];
  const texts = text.startsWith("[") ? entriesOf(text)
    : linesOf(text).map((line, at) => [at + 1, line]).filter(([, line]) => stripped(line) && !stripped(line).startsWith("#"));
  const lines = texts.map(([number, line]) => ({ number, digest: digestOfLine(line) }));
  const digests = lines.filter(({ digest }) => digest).length;
  if (lines.length < 2 || (!lines[0].digest && (digests < 2 || 2 * digests < lines.length))) return [];
  const found = decoded(text);
  return found && ofBytes(found[1]) ? [] : lines;
}

function entriesOf(text) {
  try {
    const value = parsed(text);
    return Array.isArray(value) && value.every((one) => typeof one === "string") ? value.map((one, at) => [at + 1, one]) : [];
  } catch {
    return [];
  }
}

function recognised(bytes) {
  const found = bytes[0] === BRACE ? null : ofBytes(bytes);
  if (found) return found;
  const text = textOf(bytes);
  if (text === null) throw new Malformed(UNKNOWN, KNOWN);
  const marked = ofMarked(text);
  if (marked) return marked;
  if (text.includes("\n")) {
    const lines = readBatch(bytes);
    if (lines.length) throw new Malformed(`this has ${lines.length} lines with launch digests`);
  }
  return ofEncoded(text) ?? ofWritten(text);
}

// Evidence in bytes: one of the binary forms, or an object; null for anything else. depth: how many objects carry these bytes.
function ofBytes(data, depth = 0) {
  const found = ofRawBytes(data);
  if (found) return found;
  if (depth > DEEPEST || !data.length) return null;
  const [first] = data, within = (inner) => ofBytes(inner, depth + 1);
  if (first >= 0xa1 && first <= 0xbb) return ofMap(mapOfCbor(data), "CBOR", within);
  if ((first >= 0x81 && first <= 0x8f) || first === 0xde || first === 0xdf) return ofMap(mapOfMessagePack(data), "MessagePack", within);
  if (first !== BRACE) return null;
  const text = utf8Of(data, true);
  return text === null ? null : inJson(text, depth);
}

const ofMap = (fields, what, within) => fields && ofMembers([fields], what, within);

// Evidence in JSON; null if it has none.
function inJson(text, depth) {
  const objects = objectsOf(text);
  objects.forEach(refuseProof);
  const found = ofMembers(objects, "JSON", (data) => ofBytes(data, depth + 1)) ?? ofQmp(objects, ofRawBytes);
  if (!found) objects.forEach(checkForeign);
  return found;
}

// Throws Malformed for a proof of `ldcat prove`, whose revocations may have the launch digests of others.
function refuseProof(fields) {
  if (String(fields.get("format")).startsWith("ldcat-proof/")) {
    throw new Malformed("this is a proof of what a log says of a launch digest, and no evidence of a launch: ldcat verify-proof verifies it");
  }
}

// Throws Malformed for evidence of another technology, and for what is no evidence.
function checkForeign(fields) {
  const report = fields.get("attestation_report"), chain = fields.get("cert_chain");
  const has = (map, names) => map instanceof Map && names.some((name) => map.has(name));
  if (report instanceof Map && !has(report, ["version", "policy", "signature"]) && has(chain, ["pek", "hsk", "cek", "hsk_cek"])) {
    throw new Malformed(`${CSV}; ldcat knows launch digests of AMD SEV only`);
  }
  if (fields.has("MetadataItems") && fields.has("OVMFHash")) {
    throw new Malformed("this is firmware metadata of sev-snp-measure-go, and is no evidence: ldcat measure computes digests from it");
  }
  if (certificatesOfMembers(fields).length) throw new Malformed("this JSON has certificates, and no report");
}

// JSON, the lines of virsh, or a token: texts that begin as only they do; null for another text.
function ofMarked(text) {
  if (text.startsWith("{") && !stripped(text.slice(1)).startsWith("0x")) { // that would be a C array
    const found = inJson(text, 0);
    if (found) return found;
    throw new Malformed("this JSON is no evidence that ldcat knows: docs/evidence.md lists the known members");
  }
  if (text.startsWith("eyJ") && text.split(".").length === 3) {
    const payload = payloadOf(text);
    return payload === null ? null : ofToken(payload);
  }
  return text.includes("sev-measurement") ? ofLibvirt(text) : null;
}

// The payload of a JSON Web Token, which is JSON; null for another text. Source: RFC 7519.
function payloadOf(text) {
  const [header, payload] = text.split(".").map(fromBase64);
  return header && payload?.[1][0] === BRACE ? utf8Of(payload[1], true) : null;
}

function ofToken(payload) {
  const found = inJson(payload, 0);
  if (!found) throw new Malformed("this JSON Web Token states no launch digest: known are those of MAA and EAR");
  return { ...readFrom(found, "a JSON Web Token"), notes: [...found.notes, note("token-not-verified", NOT_VERIFIED)] };
}

// A digest, or other evidence in hex, base64 or a list of numbers; null for another text.
function ofEncoded(text) {
  const found = decoded(text);
  const digest = text.includes("\n") ? null : digestOfLine(text);
  if (digest) return digest;
  if (!found) return null;
  const [coding, value] = found;
  if (isDigestSize(value.length) && !coding.startsWith("base64")) { // base64 with blanks may be words
    return ofDigest(value, coding === "hex" ? "launch digest" : `launch digest in ${coding}`);
  }
  const evidence = ofBytes(value);
  return evidence && readFrom(evidence, coding);
}

// Evidence in a dump, or a digest in a text.
function ofWritten(text) {
  const dump = dumped(text);
  if (dump) {
    const [kind, data] = dump;
    const found = isDigestSize(data.length) ? ofDigest(data, "launch digest") : ofBytes(data);
    if (found) return readFrom(found, kind);
    throw new Malformed(`the ${data.length} bytes in ${kind} are not evidence of a known form`, KNOWN);
  }
  if (/^sha(?:256|384):/i.test(text)) {
    throw new Malformed("this does not have the length of a digest of the algorithm that it names: sha384 has 96 hex digits, sha256 has 64");
  }
  const found = digestInText(text);
  if (found) return found;
  const digits = isHex(text) ? text.replace(/^0x/, "").match(/[0-9a-fA-F]/g).length : 0;
  if (digits < FEWEST_DIGITS) throw new Malformed(UNKNOWN, KNOWN);
  throw new Malformed(`this has ${digits.toLocaleString("en")} hex digits; a launch digest has 64 (SEV or SEV-ES) or 96 (SEV-SNP or TDX)`);
}

// The text without blanks around it; null for bytes that are not UTF-8.
function textOf(bytes) {
  const text = utf8Of(bytes, false);
  return text === null ? null : stripped(text);
}

function utf8Of(bytes, ignoreBOM) {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM }).decode(bytes);
  } catch {
    return null;
  }
}
