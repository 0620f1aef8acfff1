// Bytes written as text, as catalog/evidence/codings.py reads them: hex, lists of numbers, base64 and base64url.

import { bytesOfHex } from "./bytes.js";

// What Python takes for a blank.
export const BLANK = "[\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]";
const AT_BLANKS = new RegExp(`${BLANK}+`);
const LINE_ENDS = /\r\n|[\n\v\f\r\x1c-\x1e\x85\u2028\u2029]/;
const BRACKETS = { "[": "]", "{": "}", "(": ")" };

const isBlank = (one) => (one <= " " || one > "~") && AT_BLANKS.test(one);

export function stripped(text) {
  let [start, end] = [0, text.length];
  while (start < end && isBlank(text[start])) start++;
  while (end > start && isBlank(text[end - 1])) end--;
  return text.slice(start, end);
}

// The text without these characters at its end.
export function withoutEnd(text, characters) {
  let end = text.length;
  while (end && characters.includes(text[end - 1])) end--;
  return text.slice(0, end);
}

export const wordsOf = (text) => text.split(AT_BLANKS).filter((word) => word);

// The lines of a text; a line end at its end begins no other.
export function linesOf(text) {
  const lines = text.split(LINE_ENDS);
  return lines.at(-1) === "" ? lines.slice(0, -1) : lines;
}

// [coding, bytes] of a text; null if it is in none of the codings.
export function decoded(text) {
  if (/[^\x00-\x7f]/.test(text)) return null;
  if (isHex(text)) {
    const value = fromHex(text);
    return value && ["hex", value];
  }
  const numbers = fromNumbers(text);
  return numbers ? ["a list of numbers", numbers] : fromBase64(wordsOf(text).join(""));
}

// Whether a text has hex digits only, besides separators and one 0x before them: then it is not base64.
export const isHex = (text) => /^[0-9a-fA-F]+$/.test(digitsOf(text));

export function fromHex(text) {
  const digits = digitsOf(text);
  return isHex(text) && digits.length % 2 === 0 ? bytesOfHex(digits) : null;
}

// [coding, bytes] of canonical base64 or base64url, with or without padding; null for another text.
export function fromBase64(text) {
  const body = withoutEnd(text, "="), missing = (4 - (body.length % 4)) % 4;
  const coding = /^[A-Za-z0-9+/]+$/.test(body) ? "base64" : /^[A-Za-z0-9_-]+$/.test(body) ? "base64url" : null;
  if (!coding || missing === 3 || ![0, missing].includes(text.length - body.length)) return null;
  const padded = body.replaceAll("-", "+").replaceAll("_", "/") + "=".repeat(missing);
  const value = atob(padded);
  return btoa(value) === padded ? [coding, Uint8Array.from(value, (one) => one.charCodeAt(0))] : null;
}

const digitsOf = (text) => text.replace(/[ \t\r\n\v\f:,]+/g, "").replace(/^0[xX]/, "");

// The bytes of a list, as in JSON or Python, or of a C array, also as `xxd -i` prints it.
function fromNumbers(text) {
  let inner = stripped(text);
  if (inner.startsWith("unsigned char ")) inner = `{${inner.slice(inner.indexOf("{") + 1).split("}")[0]}}`;
  if (Object.hasOwn(BRACKETS, inner[0] ?? "")) {
    if (inner.length < 2 || inner.at(-1) !== BRACKETS[inner[0]]) return null;
    inner = inner.slice(1, -1);
  } else if (!/^0[xX]/.test(inner)) return null;
  const values = [];
  for (const token of wordsOf(inner.replaceAll(",", " "))) {
    const value = /^0[xX][0-9a-fA-F]{1,3}$/.test(token) ? parseInt(token, 16) : /^[0-9]{1,3}$/.test(token) ? Number(token) : 256;
    if (value > 255) return null;
    values.push(value);
  }
  return values.length ? Uint8Array.from(values) : null;
}
