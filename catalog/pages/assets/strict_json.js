// JSON read as the command line reads it: an integer is a BigInt, however large, and 1.0 is another value than 1; an object
// is a Map; a key that is there twice, or too much depth, is Malformed.

import { Malformed } from "./bytes.js";
import { BLANK } from "./codings.js";

const MAX_DEPTH = 64;
const MAX_OBJECTS = 64;
const MAX_DIGITS = 4300; // of an integer: Python's limit
const BLANKS = /[ \t\n\r]*/y;
const BETWEEN = new RegExp(`${BLANK}*`, "y"); // two objects
const NUMBER = /(-?(?:0|[1-9][0-9]*))(\.[0-9]+)?([eE][-+]?[0-9]+)?/y;
const PLAIN = /[^"\\\u0000-\u001f]*/y;
const ESCAPE = /\\(?:(["\\/bfnrt])|u([0-9a-fA-F]{4}))/y;
const ESCAPED = { b: "\b", f: "\f", n: "\n", r: "\r", t: "\t" };
const WORDS = { true: true, false: false, null: null };

// The value that a text is.
export function parsed(text) {
  const reader = new Reader(text);
  const value = reader.value(0);
  reader.blanks();
  if (reader.at < text.length) reader.fail();
  return value;
}

// The objects of a text, one after the other as a QMP session prints them, without the wrapping of QMP.
export function objectsOf(text) {
  const reader = new Reader(text), found = [];
  while (reader.at < text.length) {
    let value = reader.value(0);
    reader.match(BETWEEN);
    if (found.length === MAX_OBJECTS) throw new Malformed(`this JSON has more than ${MAX_OBJECTS} objects`);
    if (value instanceof Map && value.get("return") instanceof Map) value = value.get("return");
    if (!(value instanceof Map)) throw new Malformed("this JSON is not an object");
    found.push(value);
  }
  return found;
}

class Reader {
  constructor(text) {
    this.text = text;
    this.at = 0;
  }

  value(depth) {
    if (depth > MAX_DEPTH) throw new Malformed("this JSON is nested too deeply");
    if (this.take("{")) return this.object(depth);
    if (this.take("[")) return this.list(depth);
    if (this.take('"')) return this.string();
    for (const [word, value] of Object.entries(WORDS)) {
      if (this.take(word)) return value;
    }
    return this.number();
  }

  object(depth) {
    const found = new Map();
    this.items("}", () => {
      if (!this.take('"')) this.fail();
      const key = this.string();
      this.blanks();
      if (!this.take(":")) this.fail();
      this.blanks();
      if (found.has(key)) throw new Malformed("this looks like JSON, but is invalid: an object has a key twice");
      found.set(key, this.value(depth + 1));
    });
    return found;
  }

  list(depth) {
    const found = [];
    this.items("]", () => found.push(this.value(depth + 1)));
    return found;
  }

  // Each item up to the closing bracket.
  items(end, read) {
    this.blanks();
    if (this.take(end)) return;
    for (;;) {
      read();
      this.blanks();
      if (this.take(end)) return;
      if (!this.take(",")) this.fail();
      this.blanks();
    }
  }

  string() {
    let found = "";
    for (;;) {
      found += this.match(PLAIN)[0];
      if (this.take('"')) return found;
      const [, letter, code] = this.match(ESCAPE);
      found += code ? String.fromCharCode(parseInt(code, 16)) : ESCAPED[letter] ?? letter;
    }
  }

  number() {
    const [whole, integer, fraction, exponent] = this.match(NUMBER);
    if (fraction || exponent) return Number(whole);
    if (integer.replace("-", "").length > MAX_DIGITS) throw new Malformed("this JSON has a number that is too long");
    return BigInt(integer);
  }

  blanks() {
    this.match(BLANKS);
  }

  take(token) {
    const isThere = this.text.startsWith(token, this.at);
    if (isThere) this.at += token.length;
    return isThere;
  }

  match(pattern) {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.text);
    if (!found) this.fail();
    this.at = pattern.lastIndex;
    return found;
  }

  fail() {
    throw new Malformed(`this looks like JSON, but is invalid: at character ${this.at}`);
  }
}
