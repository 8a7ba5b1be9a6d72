// Keys of the page, which leave alone what is typed elsewhere.
(() => {
  "use strict";
  const grafx = (globalThis.grafx ??= {});
  const { h } = grafx.dom;
  const HELP = [
    ["Space", "play, pause"],
    ["A, B", "hear A or B; X takes the other"],
    ["← →", "one second back, on (with Shift: five)"],
    ["[ ]", "loop from here, to here"],
    ["L", "loop on, off"],
    ["M", "match loudness on, off"],
    ["1 2 3", "mix, target, difference"],
    ["O, I, D", "output and input of the chosen node, what it adds"],
    ["/", "search in the graph"],
    ["Esc", "choose no node"],
    ["?", "this list"],
  ];

  function create(page) {
    const dialog = document.getElementById("keys");
    const shown = page.player ? HELP : HELP.slice(-3);
    dialog.replaceChildren(
      h("h2", { id: "keys-title" }, "Keys"),
      h("dl", { class: "keys-list" }, shown.map(([key, what]) => h("div", null, h("dt", null, h("kbd", null, key)), h("dd", null, what)))),
      h("form", { method: "dialog" }, h("button", { autofocus: true }, "Close")));
    const help = () => (dialog.open ? dialog.close() : dialog.showModal());
    document.getElementById("help").addEventListener("click", help);

    const song = page.player && {
      " ": () => page.toggle(),
      a: () => page.switchTo("a"),
      b: () => page.switchTo("b"),
      x: () => page.switchTo(page.side === "a" ? "b" : "a"),
      ArrowLeft: (event) => page.seek(page.time - (event.shiftKey ? 5 : 1)),
      ArrowRight: (event) => page.seek(page.time + (event.shiftKey ? 5 : 1)),
      "[": () => page.loopFrom(),
      "]": () => page.loopTo(),
      l: () => document.getElementById("loop").click(),
      m: () => document.getElementById("match").click(),
      1: () => page.hear("mix"),
      2: () => page.hear("target"),
      3: () => page.hear("difference"),
      o: () => own("out"),
      i: () => own("in"),
      d: () => own("adds"),
    };
    const all = {
      ...song,
      "?": help,
      Escape: () => page.select(null),
      "/": () => document.querySelector("#graph-view input[type=search], #graph-view input")?.focus(),
    };
    const own = (end) => page.selected !== null && page.hear(grafx.levels.nodeChoice(page.selected, end));

    document.addEventListener("keydown", (event) => {
      if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
      const name = event.key.length === 1 ? event.key.toLowerCase() : event.key;
      if (!Object.hasOwn(all, name) || taken(event.target, name)) return;
      event.preventDefault();
      all[name](event);
    });
  }

  // What the element under the focus does with a key itself.
  function taken(element, key) {
    if (!(element instanceof Element)) return false;
    if (element.closest("input:not([type=checkbox], [type=range]), textarea, select, audio, [contenteditable]")) return true;
    if (element.closest("input[type=range], [role=slider]:not(.wave)")) return key !== "?" && key.length > 1;
    if (element.closest("#graph-view, .story-view, .grafx-viewer")) return !["?", "a", "b", "x", " ", "/"].includes(key) || (key === " " && element.closest("button, a, [role=button]"));
    return key === " " && Boolean(element.closest("button, a, summary, input, [role=button]"));
  }

  grafx.keys = { create };
})();
