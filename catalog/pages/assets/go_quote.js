// Quotes in the JSON of go-tdx-guest, put back into their bytes as catalog/abi/tdx/go_quote.py does.

import { Malformed } from "./bytes.js";
import { standardBase64 } from "./go_report.js";

const BODIES = ["tdQuoteBody", "td_quote_body", "tdQuoteBodyDescriptor", "td_quote_body_descriptor"];
const NUMBERS = { version: 2, attestationkeytype: 2, teetype: 4, miscselect: 4, isvprodid: 2, isvsvn: 2 }; // sizes in bytes
const RTMRS = 4, KEY_SIZE = 64, QE_CERTIFICATION = 6n, TDX_15 = 3n;
const HEADER = [["version"], ["attestationkeytype"], ["teetype"], ["pcesvn", 2], ["qesvn", 2], ["qevendorid", 16], ["userdata", 20]];
const BODY = [["teetcbsvn", 16], ["mrseam", 48], ["mrsignerseam", 48], ["seamattributes", 8], ["tdattributes", 8], ["xfam", 8],
  ["mrtd", 48], ["mrconfigid", 48], ["mrowner", 48], ["mrownerconfig", 48], ["rtmrs", 192], ["reportdata", 64]];
const BODY_15 = [...BODY, ["teetcbsvn2", 16], ["mrservicetd", 48]];
const QE_REPORT = [["cpusvn", 16], ["miscselect"], ["reserved1", 28], ["attributes", 16], ["mrenclave", 32], ["reserved2", 32],
  ["mrsigner", 32], ["reserved3", 96], ["isvprodid"], ["isvsvn"], ["reserved4", 60], ["reportdata", 64]];

// Whether a Map may be a quote.
export const isGoQuote = (fields) => fields.get("header") instanceof Map && BODIES.some((name) => fields.has(name));

// The bytes, and the number of fields that are unknown and not null; Malformed for a field of another type or size.
export function goQuote(given) {
  const message = new Message(), fields = byName(given);
  let raw = message.joined(inside(fields, "header"), HEADER);
  if (fields.has("tdquotebodydescriptor")) {
    const descriptor = inside(fields, "tdquotebodydescriptor"), kind = descriptor.get("tdquotebodytype");
    const body = message.joined(inside(descriptor, "tdquotebodyv5"), kind === TDX_15 ? BODY_15 : BODY);
    raw = [...raw, ...numberOf(kind, 2), ...sized(body, 4)];
    message.count(descriptor, ["tdquotebodytype", "tdquotebodysize", "tdquotebodyv5"]);
  } else raw = [...raw, ...message.joined(inside(fields, "tdquotebody"), BODY)];
  if (fields.has("signeddata")) raw = [...raw, ...sized(message.signature(inside(fields, "signeddata")), 4)];
  message.count(fields, ["header", "tdquotebody", "tdquotebodydescriptor", "signeddatasize", "signeddata", "extrabytes"]);
  return [Uint8Array.from(raw), message.unknown];
}

class Message {
  unknown = 0;

  signature(fields) {
    const outer = inside(fields, "certificationdata"), inner = inside(outer, "qereportcertificationdata");
    const auth = inside(inner, "qeauthdata"), chain = inside(inner, "pckcertificatechaindata");
    const certified = [
      ...this.joined(inside(inner, "qereport"), QE_REPORT),
      ...bytesOf(inner.get("qereportsignature"), KEY_SIZE),
      ...sized(auth.has("data") ? bytesOf(auth.get("data")) : [], 2),
      ...numberOf(chain.get("certificatedatatype"), 2),
      ...sized(bytesOf(chain.get("pckcertchain")), 4),
    ];
    this.count(fields, ["signature", "ecdsaattestationkey", "certificationdata"]);
    this.count(outer, ["certificatedatatype", "size", "qereportcertificationdata"]);
    this.count(inner, ["qereport", "qereportsignature", "qeauthdata", "pckcertificatechaindata"]);
    const keys = ["signature", "ecdsaattestationkey"].flatMap((name) => [...bytesOf(fields.get(name), KEY_SIZE)]);
    const kind = outer.has("certificatedatatype") ? outer.get("certificatedatatype") : QE_CERTIFICATION;
    return [...keys, ...numberOf(kind, 2), ...sized(certified, 4)];
  }

  // A message whose fields have fixed sizes.
  joined(fields, layout) {
    this.count(fields, layout.map(([name]) => name));
    return layout.flatMap(([name, size]) => [...fieldOf(fields, name, size)]);
  }

  count(fields, known) {
    for (const [name, value] of fields) this.unknown += value !== null && !known.includes(name) ? 1 : 0;
  }
}

const byName = (fields) => new Map([...fields].map(([name, value]) => [String(name).toLowerCase().replaceAll("_", ""), value]));

function inside(fields, name) {
  const value = fields.get(name);
  if (!(value instanceof Map)) throw new Malformed("a message of this quote of go-tdx-guest is missing, or is no object");
  return byName(value);
}

function fieldOf(fields, name, size) {
  if (Object.hasOwn(NUMBERS, name)) return numberOf(fields.has(name) ? fields.get(name) : 0n, NUMBERS[name]);
  const value = fields.get(name);
  const isList = name === "rtmrs" && Array.isArray(value) && value.length === RTMRS;
  return isList ? value.flatMap((one) => [...bytesOf(one, size / RTMRS)]) : bytesOf(value, size);
}

function numberOf(value, size) {
  if (typeof value !== "bigint" || value < 0n || value >> BigInt(8 * size)) {
    throw new Malformed(`a field of this quote of go-tdx-guest is not an unsigned number of ${8 * size} bits`);
  }
  return Array.from({ length: size }, (_, at) => Number((value >> BigInt(8 * at)) & 255n));
}

// Bytes, of this size if one is given.
function bytesOf(given, size = null) {
  const data = typeof given === "string" ? standardBase64(given) : given;
  if (!(data instanceof Uint8Array) || (size !== null && data.length !== size)) {
    throw new Malformed(`a field of this quote of go-tdx-guest is not ${size === null ? "bytes" : `${size} bytes`} in base64`);
  }
  return data;
}

const sized = (data, size) => [...numberOf(BigInt(data.length), size), ...data];
