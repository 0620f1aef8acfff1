// Certificates that come with evidence, as catalog/endorse/certificate_forms.py finds them. None is verified in a browser.

import { Malformed, fromBase64, hexOf, utf8 } from "./bytes.js";
import { withoutEnd } from "./codings.js";

export const MOST_CERTIFICATES = 64;
const ENTRY_SIZE = 24;
const DEEPEST = 16;
const MOST_ENTRIES = 64;
const GUIDS = ["63da758de6644564adc5f4b93be8accd", "a8074bc2a25a483eaae639c045a0b8a1", "4ab7b379bbac4fe4a02f05aef327c782",
  "c0b406a4a803495297433fb6014cd0ae"]; // VCEK, VLEK, ASK or ASVK, ARK
const KNOWN = new Set(GUIDS.flatMap((guid) => [guid, ofEfi(guid)]));
const [BEGIN, END] = ["-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"];
const NAMES = new Set(["vcek", "vlek", "ask", "ark", "vcekcert", "vlekcert", "askcert", "asvkcert", "arkcert", "certificatechain",
  "certchain", "vcekcertchain", "vlekcertchain", "endorsements", "auxblob", "reportsigner"]);
const KINDS = ["VCEK", "VLEK", "ASK", "ARK"]; // of entries in the JSON of the virtee crates

// A GUID in the byte order of EFI, its first three fields little-endian.
function ofEfi(guid) {
  return guid.replace(/^(..)(..)(..)(..)(..)(..)(..)(..)/, "$4$3$2$1$6$5$8$7");
}

// The name of a member in lower case, without - and _.
export const plainName = (name) => (typeof name === "string" ? name.toLowerCase().replace(/[-_]/g, "") : "");

export const isCertificateName = (name) => NAMES.has(plainName(name));

// Whether a list is of bytes.
export const isByteList = (value) =>
  Array.isArray(value) && value.length > 0 && value.every((one) => typeof one === "bigint" && one >= 0n && one < 256n);

// The certificates of a table, in DER. Source: AMD 56421, GHCB specification, 4.1.8.1.
export function certificatesOfTable(table) {
  const view = new DataView(table.buffer, table.byteOffset, table.byteLength);
  const found = [];
  for (let number = 0; number < MOST_ENTRIES; number++) {
    const at = number * ENTRY_SIZE, header = table.subarray(at, at + ENTRY_SIZE);
    if (header.length < ENTRY_SIZE) break;
    if (header.every((byte) => byte === 0)) return found;
    const offset = view.getUint32(at + 16, true), length = view.getUint32(at + 20, true);
    if (offset + length > table.length) throw new Malformed(`entry ${number} of the certificate table is not inside it`);
    if (KNOWN.has(hexOf(header.subarray(0, 16)))) found.push(table.subarray(offset, offset + length));
  }
  throw new Malformed("the certificate table has no entry of zeros at its end");
}

// The certificates that members of a Map have, by their names.
export function certificatesOfMembers(fields) {
  const found = [];
  addMembers(fields, found, 0);
  return found;
}

function addMembers(fields, found, depth) {
  for (const [name, value] of fields) {
    if (isCertificateName(name)) addValue(value, found, depth + 1);
  }
}

function addValue(value, found, depth) {
  if (depth > DEEPEST) throw new Malformed(`certificates are nested more than ${DEEPEST} levels deep`);
  if (typeof value === "string") addBytes(value.includes(BEGIN) ? utf8.encode(value) : lenientBase64(value), found);
  else if (value instanceof Uint8Array) addBytes(value, found);
  else if (isByteList(value)) addBytes(Uint8Array.from(value, Number), found);
  else if (value instanceof Map) addMembers(value, found, depth);
  else if (Array.isArray(value)) {
    for (const one of value) {
      if (!(one instanceof Map)) addValue(one, found, depth + 1);
      else if (KINDS.includes(one.get("cert_type"))) addValue(one.get("data") ?? null, found, depth + 1);
    }
  }
}

function addBytes(data, found) {
  if (!data) return;
  const added = ofBytes(data);
  if (found.length + added.length > MOST_CERTIFICATES) {
    throw new Malformed(`more than ${MOST_CERTIFICATES} certificates: a chain has three`);
  }
  found.push(...added);
}

function ofBytes(data) {
  const text = new TextDecoder("latin1").decode(data);
  if (text.includes(BEGIN)) return text.split(BEGIN).slice(1).map(ofPem);
  if (KNOWN.has(hexOf(data.subarray(0, 16)))) return certificatesOfTable(data);
  return data[0] === 0x30 ? [data] : []; // a SEQUENCE
}

function ofPem(part) {
  const end = part.indexOf(END), text = withoutBlanks(part.slice(0, Math.max(end, 0)));
  if (end < 0 || text.length % 4 || !/^[A-Za-z0-9+/]*={0,2}$/.test(text)) throw new Malformed("a certificate in PEM is not complete");
  return fromBase64(text);
}

const withoutBlanks = (text) => text.replace(/[ \t\n\v\f\r]+/g, "");

// Bytes of base64 or base64url, with line breaks, with or without padding; null for another text.
function lenientBase64(text) {
  const body = withoutEnd(withoutBlanks(text), "=");
  const digits = body.replaceAll("-", "+").replaceAll("_", "/");
  return /^[A-Za-z0-9+/]*$/.test(digits) && digits.length % 4 !== 1 ? fromBase64(digits) : null;
}
