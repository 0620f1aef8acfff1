// Strict readers of CBOR and MessagePack, of the parts that catalog/imports/cbor.py and catalog/evidence/forms/message_pack.py
// read. An integer is a BigInt, a map is a Map. Sources: RFC 8949; the MessagePack specification.

const CBOR = { items: 1 << 17, depth: 24, keys: 256n };
const MESSAGE_PACK = { items: 1 << 18, depth: 16 };
const [UNSIGNED, NEGATIVE, BYTES, TEXT, ARRAY, MAP, TAG] = [0, 1, 2, 3, 4, 5, 6]; // major types of CBOR
const SIMPLE = { 20: false, 21: true, 22: null };
const KINDS = { // of MessagePack: by the first byte, and how many bytes the size or the number has
  0xc4: ["bytes", 1], 0xc5: ["bytes", 2], 0xc6: ["bytes", 4], 0xd9: ["text", 1], 0xda: ["text", 2], 0xdb: ["text", 4],
  0xdc: ["list", 2], 0xdd: ["list", 4], 0xde: ["map", 2], 0xdf: ["map", 4], 0xcc: ["number", 1], 0xcd: ["number", 2],
  0xce: ["number", 4], 0xcf: ["number", 8], 0xd0: ["signed", 1], 0xd1: ["signed", 2], 0xd2: ["signed", 4], 0xd3: ["signed", 8],
};
const CONSTANTS = { 0xc0: null, 0xc2: false, 0xc3: true };

class Invalid extends Error {}

// The Map that the bytes are; null for anything else.
export const mapOfCbor = (data) => mapOf(new Cbor(data, CBOR));
export const mapOfMessagePack = (data) => mapOf(new MessagePack(data, MESSAGE_PACK));

function mapOf(reader) {
  try {
    const value = reader.item(0);
    return value instanceof Map && reader.at === reader.data.length ? value : null;
  } catch (error) {
    if (error instanceof Invalid) return null;
    throw error;
  }
}

class Reader {
  constructor(data, { items, depth }) {
    Object.assign(this, { data, left: items, depth, at: 0 });
  }

  // Count an item.
  begin(depth) {
    this.left -= 1;
    if (this.left < 0 || depth > this.depth) throw new Invalid();
  }

  take(size) {
    if (size > this.data.length - this.at) throw new Invalid();
    this.at += Number(size);
    return this.data.subarray(this.at - Number(size), this.at);
  }

  number(size) {
    return this.take(size).reduce((found, byte) => (found << 8n) | BigInt(byte), 0n);
  }

  text(size) {
    try {
      return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(this.take(size));
    } catch {
      throw new Invalid();
    }
  }

  list(count, depth) {
    return Array.from({ length: Number(count) }, () => this.item(depth + 1));
  }

  map(count, depth, keyOf) {
    const found = new Map();
    for (let number = 0; number < count; number++) {
      const key = keyOf(this.item(depth + 1));
      if (key === null || found.has(key)) throw new Invalid();
      found.set(key, this.item(depth + 1));
    }
    return found;
  }
}

class Cbor extends Reader {
  item(depth) {
    this.begin(depth);
    const [major, number] = this.head();
    if (major === UNSIGNED) return number;
    if (major === NEGATIVE) return -1n - number;
    if (major === BYTES) return this.take(number);
    if (major === TEXT) return this.text(number);
    if ((major === ARRAY || major === MAP) && number > this.left) throw new Invalid();
    if (major === ARRAY) return this.list(number, depth);
    if (major === MAP && number <= CBOR.keys) return this.map(number, depth, keyOfCbor);
    if (major === TAG) return { tag: number, value: this.item(depth + 1) };
    if (!Object.hasOwn(SIMPLE, number)) throw new Invalid();
    return SIMPLE[number];
  }

  // Major type, and its number in its shortest form.
  head() {
    const [first] = this.take(1), major = first >> 5, info = first & 31;
    if (info < 24) return [major, BigInt(info)];
    if (info > 27 || major > TAG) throw new Invalid();
    const size = 1 << (info - 24), number = this.number(size);
    if (number < (size === 1 ? 24n : 1n << BigInt(4 * size))) throw new Invalid();
    return [major, number];
  }
}

function keyOfCbor(key) {
  if (key instanceof Uint8Array) return Symbol.for(key.join()); // equal to a key of the same bytes only
  return typeof key === "string" || typeof key === "bigint" ? key : null;
}

class MessagePack extends Reader {
  item(depth) {
    this.begin(depth);
    const [first] = this.take(1);
    if (Object.hasOwn(CONSTANTS, first)) return CONSTANTS[first];
    if (first < 0x80 || first >= 0xe0) return BigInt(first < 0x80 ? first : first - 0x100);
    if (first < 0x90) return this.sized("map", BigInt(first & 15), depth);
    if (first < 0xa0) return this.sized("list", BigInt(first & 15), depth);
    if (first < 0xc0) return this.text(first & 31);
    const [kind, size] = KINDS[first] ?? ["", 0];
    const number = this.number(size);
    return kind === "signed" ? BigInt.asIntN(8 * size, number) : this.sized(kind, number, depth);
  }

  sized(kind, size, depth) {
    if (kind === "number") return size;
    if (kind === "bytes") return this.take(size);
    if (kind === "text") return this.text(size);
    if (size > this.data.length - this.at) throw new Invalid();
    if (kind === "list") return this.list(size, depth);
    if (kind === "map") return this.map(size, depth, (key) => (typeof key === "string" ? key : null));
    throw new Invalid();
  }
}
