// The table of all settings: sorted by any column, narrowed by a word, copied as CSV.
(() => {
  "use strict";
  const grafx = (globalThis.grafx ??= {});
  const { h, bdi, button, printable } = grafx.dom;
  const COLUMNS = [
    ["owner", "Owner"],
    ["id", "Node"],
    ["type", "Processor"],
    ["name", "Setting"],
    ["text", "Value"],
  ];

  function create(page) {
    const place = document.querySelector("#settings .part-body");
    let order = { by: null, down: false };
    const filter = h("input", { type: "search", id: "settings-filter", autocomplete: "off", spellcheck: "false", input: () => fill() });
    const count = h("span", { class: "hint", role: "status" });
    const body = h("tbody");
    const heads = COLUMNS.map(([name, label]) => h("th", { scope: "col", "data-column": name }, button(label, { class: "sort", click: () => sort(name) })));
    const tools = h("div", { class: "table-tools unprinted" }, h("label", { for: "settings-filter" }, "Filter"), filter, count,
      button("Copy as CSV", { id: "copy-csv", click: copy }), button("Save CSV", { class: "quiet", id: "save-csv", click: save }));
    place.replaceChildren(tools, h("div", { class: "wide settings-frame", tabindex: 0, role: "region", "aria-label": "Settings of all nodes" }, h("table", { class: "settings-table" }, h("caption", { class: "hidden" }, "Settings of all nodes"), h("thead", null, h("tr", null, heads)), body)));

    function rows() {
      const all = Object.values(page.model.nodes).flatMap((node) => {
        const own = { owner: node.owner ?? "", id: node.id, type: node.type };
        return (node.settings ?? []).map((setting) => ({ ...own, ...setting, sort: first(setting.value) }));
      });
      const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
      const kept = all.filter((row) => words.every((word) => `${row.owner} ${row.id} ${row.type} ${row.name} ${row.text}`.toLowerCase().includes(word)));
      if (order.by) kept.sort((a, b) => (order.down ? -1 : 1) * compare(order.by === "text" ? a.sort : a[order.by], order.by === "text" ? b.sort : b[order.by]));
      return [kept, all.length];
    }

    function sort(by) {
      order = { by, down: order.by === by && !order.down };
      fill();
    }

    function fill() {
      const [kept, all] = rows();
      heads.forEach((head) => (head.dataset.column === order.by ? head.setAttribute("aria-sort", order.down ? "descending" : "ascending") : head.removeAttribute("aria-sort")));
      count.textContent = kept.length === all ? `${all} settings` : `${kept.length} of ${all} settings`;
      body.replaceChildren(...kept.map((row) => h("tr", { "data-node": row.id },
        h("td", null, bdi(row.owner)), h("td", { class: "number" }, button(String(row.id), { class: "link", "aria-label": `Node ${row.id}`, click: () => page.select(row.id, true) })),
        h("td", null, bdi(row.type)), h("td", null, bdi(row.name)), h("td", { class: "value" }, bdi(row.text)))));
      if (!kept.length) body.append(h("tr", null, h("td", { colspan: COLUMNS.length, class: "empty" }, all ? "No setting has these words." : "No node has settings.")));
    }

    async function copy() {
      const text = csv(rows()[0]);
      if (await copied(text)) page.say("The settings are copied as CSV.");
      else byHand(text);
    }

    function save() {
      const address = URL.createObjectURL(new Blob([csv(rows()[0])], { type: "text/csv" }));
      h("a", { href: address, download: "settings.csv" }).click();
      setTimeout(() => URL.revokeObjectURL(address), 10000);
    }

    fill();
    return { update: fill };
  }

  const first = (value) => (Array.isArray(value) ? first(value.flat(Infinity)[0]) : (value ?? null));

  function compare(a, b) {
    if (a === b) return 0;
    if (a === null) return 1;
    if (b === null) return -1;
    return typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b), undefined, { numeric: true });
  }

  // RFC 4180. A list has its values in one cell, with spaces between.
  function csv(rows) {
    const lines = [["owner", "node", "processor", "setting", "value", "unit", "text"]];
    for (const { owner, id, type, path, name, value, unit, text } of rows) {
      const plain = Array.isArray(value) ? value.flat(Infinity).map((v) => v ?? "").join(" ") : (value ?? "");
      lines.push([owner, id, type, path ?? name, plain, unit ?? "", text ?? ""]);
    }
    return lines.map((line) => line.map(cell).join(",")).join("\r\n") + "\r\n";
  }

  // A spreadsheet computes what begins like a formula; an apostrophe keeps it a text.
  function cell(value) {
    const text = typeof value === "string" && /^[=+@\t\r]|^-(?![\d.])/.test(value) ? `'${value}` : String(value);
    return /[",\r\n]/.test(text) ? `"${text.replace(/"/g, '""')}"` : text;
  }

  // A page from a file may be refused the clipboard, though not the older command.
  async function copied(text) {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      const area = h("textarea", { class: "hidden", readonly: true, "aria-hidden": "true" });
      const before = document.activeElement;
      area.value = text;
      document.body.append(area);
      area.select();
      let done = false;
      try {
        done = document.execCommand("copy");
      } catch {
        done = false;
      }
      area.remove();
      before?.focus?.();
      return done;
    }
  }

  function byHand(text) {
    const area = h("textarea", { readonly: true, rows: 12, "aria-label": "Settings as CSV" });
    area.value = text;
    const dialog = h("dialog", { class: "copy-dialog", "aria-label": "Copy as CSV" }, h("p", null, "The browser keeps its clipboard closed. Copy the marked text."), area, h("form", { method: "dialog" }, h("button", null, "Close")));
    dialog.addEventListener("close", () => dialog.remove());
    document.body.append(dialog);
    dialog.showModal();
    area.select();
  }

  grafx.settings = { create, csv };
})();
