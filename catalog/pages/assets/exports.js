// What an answer offers for its digest: the command that exports it and, from a service, the file; else why there is none.

import { commandOf, listed, make } from "./elements.js";

// What prevents the export of a row, as its place among the rules of page.json; null if nothing does. revoked: whether it is.
export function placeOf({ exports }, row, revoked) {
  if (revoked) return exports.revoked;
  if (row.base_digest !== null) return exports.bases[row.base_digest];
  const image = exports.images[row.technology][row.firmware_sha256 ?? row.firmware_snp_baseline];
  const [measured, none] = Object.hasOwn(image, row.vmm) ? image[row.vmm] : image[""];
  return row.kernel_hashes_sha256 === null ? none : measured;
}

// What prevents the export of a digest; null if nothing does. rows: with the digest. endorsed: what page.json says of it,
// if somebody endorses it, or it was reported; null otherwise.
export function notExported({ exports }, rows, endorsed) {
  if (exports.prevented) return exports.prevented;
  if (endorsed) return endorsed.not_exported;
  if (rows.some(({ technology }) => !exports.technologies.includes(technology))) return exports.other;
  const all = rows.map(({ place }) => place), isHosted = all.every((place) => place === exports.hosted);
  const places = all.filter((place) => place !== null && (isHosted || place !== exports.hosted));
  return places.length ? exports.rules[Math.min(...places)] : null;
}

// What a format says of a row: { refused, notes }, as catalog/pages/offered_formats.py decided it.
export function caseOf({ cases, of }, row) {
  const keys = [row.technology, row.firmware_sha256 ?? row.firmware_snp_baseline, row.kernel_hashes_sha256 ?? "none", row.vmm];
  return cases[keys.reduce((at, key) => (typeof at === "number" ? at : Object.hasOwn(at, key) ? at[key] : at[""]), of)];
}

// The part of an answer. why: what prevents the export, or null. row: the first one with the digest. routes: address of the
// exports of a service, with "/" at the end; null on a host of files. options: of the command, for the catalog.
export function exportsPart({ exports }, digest, why, row, routes, options) {
  const heading = make("h3", {}, "Use this digest");
  if (why) return make("section", { class: "use" }, heading, make("p", {}, `Not offered for export: ${why}.`));
  const formats = exports.formats.map((one) => ({ ...one, ...caseOf(one, row) }));
  const offered = formats.filter(({ refused }) => refused === null), place = make("div", {});
  const choice = make("select", { id: "export-format", change: show }, ...[...new Set(offered.map(({ readers }) => readers))].map(
    (group) => make("optgroup", { label: group }, ...offered.filter(({ readers }) => readers === group)
      .map(({ name, title }) => make("option", { value: name }, `${name}: ${title}`)))));
  function show() {
    const { name, command, is_whole: isWhole, served, notes } = offered.find((one) => one.name === choice.value);
    place.replaceChildren(listed(notes), ...(routes && served ? downloads(`${routes}${name}`, `?digest=${digest}`) : []),
      commandOf(command.replace("DIGEST", digest), options),
      ...(isWhole ? [] : [make("p", { class: "hint" }, "Replace the words in capitals.")]));
  }
  show();
  return make("section", { class: "use" }, heading,
    make("p", {}, make("label", { for: "export-format" }, "Export it as"), " ", choice), place,
    ...formats.filter(({ refused }) => refused !== null)
      .map(({ name, refused }) => make("p", { class: "hint" }, `Not offered as ${name}: ${refused}.`)));
}

function downloads(address, query) {
  return [
    make("p", {}, make("a", { href: `${address}${query}`, download: "" }, "Download the file"), ", ",
      make("a", { href: `${address}/sidecar${query}`, download: "" }, "its sidecar"), " with release, checkpoint and all notes"),
    make("p", { class: "hint" }, "This sends the whole digest to this host, and you have only its word for the file: " +
      "the command verifies the release first."),
  ];
}
