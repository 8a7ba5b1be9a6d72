// Elements made without markup, so that no text of the model can become any.
(() => {
  "use strict";
  const grafx = (globalThis.grafx ??= {});
  const SVG = "http://www.w3.org/2000/svg";
  // As grafx.text.printable: control characters, lone surrogates, line breaks and direction marks.
  const HIDDEN = /[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ufffe\uffff]|\p{Cs}/gu;
  const LONG = 240; // characters
  const SHORT = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };

  function printable(text) {
    return String(text).replace(HIDDEN, (hidden) => {
      const code = hidden.codePointAt(0);
      return SHORT[hidden] ?? (code > 0xff ? `\\u${code.toString(16).padStart(4, "0")}` : `\\x${code.toString(16).padStart(2, "0")}`);
    });
  }

  function fill(element, attributes, children) {
    for (const [name, value] of Object.entries(attributes ?? {})) {
      if (value === null || value === undefined || value === false) continue;
      if (typeof value === "function") element.addEventListener(name.replace(/^on/, ""), value);
      else element.setAttribute(name, value === true ? "" : value);
    }
    element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
    return element;
  }

  const h = (tag, attributes, ...children) => fill(document.createElement(tag), attributes, children);
  const s = (tag, attributes, ...children) => fill(document.createElementNS(SVG, tag), attributes, children);

  // A text of the model: made visible, and kept from turning the direction of what surrounds it.
  // One that is as long as a paragraph shows its beginning, and all of it where one points.
  function bdi(text) {
    const shown = printable(text);
    return shown.length > LONG ? h("bdi", { class: "long", title: shown }, shown) : h("bdi", null, shown);
  }

  const button = (text, attributes, ...more) => h("button", { type: "button", ...attributes }, text, ...more);

  let count = 0;
  const unique = (prefix) => `${prefix}-${(count += 1)}`;

  grafx.dom = { h, s, bdi, button, printable, unique };
})();
