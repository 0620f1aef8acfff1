// What an answer offers for its digest: the command that exports it and, from a service, the file; else why there is none.

import { commandOf, make } from "./elements.js";

// What prevents the export of a row, as its place among the rules of page.json; null if nothing does. revoked: whether it is.
export function placeOf({ exports }, row, revoked) {
  if (revoked) return exports.revoked;
  if (row.base_digest !== null) return exports.bases[row.base_digest];
  const image = exports.images[row.firmware_sha256 ?? row.firmware_snp_baseline];
  const [measured, none] = Object.hasOwn(image, row.vmm) ? image[row.vmm] : image[""];
  return row.kernel_hashes_sha256 === null ? none : measured;
}

// What prevents the export of a digest; null if nothing does. rows: with the digest. endorsed: what page.json says of it,
// if somebody endorses it, or it was reported; null otherwise.
export function notExported({ exports }, rows, endorsed) {
  if (exports.prevented) return exports.prevented;
  if (endorsed) return endorsed.not_exported;
  if (rows.some(({ technology }) => technology !== exports.technology)) return exports.other;
  const places = rows.map(({ place }) => place).filter((place) => place !== null);
  return places.length ? exports.rules[Math.min(...places)] : null;
}

// The part of an answer. why: what prevents the export, or null. routes: address of the exports of a service, with "/" at
// the end; null on a host of files. url: of the catalog.
export function exportsPart({ exports }, digest, why, routes, url) {
  const heading = make("h3", {}, "Use this digest");
  if (why) return make("section", { class: "use" }, heading, make("p", {}, `Not offered for export: ${why}.`));
  const place = make("div", {});
  const choice = make("select", { id: "export-format", change: show },
    ...exports.formats.map(({ name, title }) => make("option", { value: name }, `${name}: ${title}`)));
  function show() {
    const { name, command, served } = exports.formats.find((one) => one.name === choice.value);
    place.replaceChildren(...(routes && served ? [download(`${routes}${name}?digest=${digest}`)] : []),
      commandOf(command.replace("DIGEST", digest), `--catalog ${url}`));
  }
  show();
  return make("section", { class: "use" }, heading,
    make("p", {}, make("label", { for: "export-format" }, "Export it as"), " ", choice), place);
}

function download(address) {
  return make("p", {}, make("a", { href: address, download: "" }, "Download the file"), " ",
    make("span", { class: "hint" }, "This sends the whole digest to this host, and only its word says that the file is right: the command verifies the release first."));
}
