// Products, and the layouts of their TCB versions: the same as in catalog/abi/tcb.py.

import { hexOf } from "./bytes.js";

const layout = (products, ...places) => ({ products, places }); // places: what each byte is, "" for a reserved one
export const BEFORE_TURIN = layout("Milan and Genoa", "bootloader", "tee", "", "", "", "", "snp", "microcode");
export const SINCE_TURIN = layout("Turin", "fmc", "bootloader", "tee", "snp", "", "", "", "microcode");
const SINCE_VENICE = layout("Venice", "fmc", "tee", "snp", "", "", "", "", "");
export const LAYOUTS = [BEFORE_TURIN, SINCE_TURIN, SINCE_VENICE];

const PRODUCTS = [ // family, first and last model, name, layout
  [0x19, 0x00, 0x0f, "Milan", BEFORE_TURIN], [0x19, 0x10, 0x1f, "Genoa", BEFORE_TURIN], [0x19, 0xa0, 0xaf, "Genoa", BEFORE_TURIN],
  [0x1a, 0x00, 0x11, "Turin", SINCE_TURIN], [0x1a, 0x50, 0x57, "Venice", SINCE_VENICE], [0x1a, 0x90, 0xaf, "Venice", SINCE_VENICE],
  [0x1a, 0xc0, 0xc7, "Venice", SINCE_VENICE],
];

// The product of a processor by its CPUID family and model: { name, layout }; null for one that is not known.
export function productOf(family, model) {
  const found = PRODUCTS.find(([known, first, last]) => known === family && first <= model && model <= last);
  return found ? { name: found[3], layout: found[4] } : null;
}

// Whether 8 bytes fit a layout: all that are reserved are zero.
export const tcbFits = (packed, { places }) => packed.every((byte, at) => !byte || places[at]);

// A TCB version for people. packed: its 8 bytes. known: their layout; null if it is not known.
export function tcbText(packed, known) {
  if (!known) return `${hexOf(packed)} (unknown layout)`;
  const order = ["fmc", "bootloader", "tee", "snp", "microcode"].filter((part) => known.places.includes(part));
  return order.map((part) => `${part} ${packed[known.places.indexOf(part)]}`).join(", ");
}
