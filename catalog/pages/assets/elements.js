// Elements of the pages that scripts make: what templates/macros.html makes elsewhere.

import { MARKS, dangers, titled } from "./notes.js";

export function make(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") made.addEventListener(name, value);
    else if (value !== null) made.setAttribute(name, value);
  }
  made.append(...children.map((child) => (typeof child === "string" ? printable(child) : child)));
  return made;
}

// One line of text, with an escape for each invisible character: the same as `printable` of catalog/fast/match_text.py.
function printable(text) {
  return text.replace(/(?! )[\p{C}\p{Z}\p{Default_Ignorable_Code_Point}\u2800]/gu, (character) => {
    const known = { "\n": "\\n", "\r": "\\r", "\t": "\\t" }[character];
    const digits = character.codePointAt(0).toString(16);
    const [letter, width] = digits.length > 4 ? ["U", 8] : digits.length > 2 ? ["u", 4] : ["x", 2];
    return known ?? `\\${letter}${digits.padStart(width, "0")}`;
  });
}

export const facts = (pairs) =>
  make("dl", {}, ...pairs.flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)]));
const marked = ({ severity, text }) => [make("b", {}, `${MARKS[severity]}:`), ` ${text}`];
// Notes as a list; nothing if there are none.
export const listed = (found) =>
  found.length ? make("ul", { class: "notes" }, ...found.map((one) => make("li", { class: one.severity }, ...marked(one)))) : "";
// Title, dangers, facts and other notes. hidden: notes that stand above all parts.
export const part = (title, pairs, all, hidden = []) => {
  const own = all.filter(({ text }) => !hidden.some((one) => one.text === text));
  return [make("h3", {}, titled(title, all)), listed(dangers(own)), pairs.length ? facts(pairs) : "", listed(own.filter((one) => !dangers(own).includes(one)))];
};
export const alert = (text) => make("p", { class: "warn danger", role: "alert" }, ...marked({ severity: "danger", text }));
export const warned = (text, attributes = {}) => make("p", { class: "warn warning", ...attributes }, text);
// A note as a paragraph. more: what follows its text.
export const noted = (one, ...more) => make("p", { class: `warn ${one.severity}` }, ...marked(one), ...more);

// A command line, with a button that copies it.
export function commandOf(command, last) {
  const text = `${command} ${last}`;
  const button = make("button", {
    type: "button",
    class: "copy",
    click: async () => {
      await navigator.clipboard.writeText(text);
      button.textContent = "Copied";
      setTimeout(() => (button.textContent = "Copy"), 2000);
    },
  }, "Copy");
  return make("span", { class: "command" }, make("code", {}, text), " ", navigator.clipboard ? button : "");
}
