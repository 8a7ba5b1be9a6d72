// All songs: sorted by any column, narrowed by words, state, what was found, or a range of numbers.
(() => {
  "use strict";
  const grafx = (globalThis.grafx ??= {});
  const { h, bdi, button, printable } = grafx.dom;
  const { format } = grafx;
  const AT_ONCE = 100; // rows
  const COLUMNS = [
    ["name", "Song"], ["state", "State"], ["over", "Loss / plain"], ["found", "Loss"], ["plain", "Plain sum"],
    ["processors", "Processors"], ["console", "of"], ["stems", "Stems"], ["seconds", "Time"],
  ];
  const NAMES = { over: "loss / plain", processors: "processors", seconds: "time" };

  function create(atlas) {
    const place = document.querySelector("#songs .part-body");
    const { model, songs } = atlas;
    if (!songs.length) return place.append(h("p", { class: "empty" }, "There are no songs yet."));
    const state = { words: "", state: "", part: null, range: null, sort: "name", down: false, shown: AT_ONCE };
    const collator = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" });
    const search = h("input", { type: "search", placeholder: "Filter by name or reason", "aria-label": "Filter songs by name or reason", oninput: (event) => set({ words: event.target.value.toLowerCase() }) });
    const states = Object.entries(model.states).filter(([, number]) => number);
    const chooser = h("select", { "aria-label": "State of songs", onchange: (event) => set({ state: event.target.value }) },
      h("option", { value: "" }, "all states"), states.map(([name, number]) => h("option", { value: name }, `${name} (${number})`)));
    const chips = h("span", { class: "buttons" });
    const told = h("span", { class: "hint", role: "status" });
    const heads = COLUMNS.map(([column, text]) => h("th", { scope: "col", class: column === "name" || column === "state" ? null : "number" },
      button(text, { onclick: () => set({ sort: column, down: state.sort === column ? !state.down : column !== "name" && column !== "state" && column !== "over" }) })));
    const body = h("tbody");
    const more = button("Show more", { onclick: () => set({ shown: state.shown + 5 * AT_ONCE }, true) });
    place.append(
      h("div", { class: "table-tools" }, search, states.length > 1 ? chooser : null, chips, told),
      h("div", { class: "wide" }, h("table", { class: "songs-table" }, h("thead", null, h("tr", null, heads)), body)),
      h("p", { class: "more" }, more));

    function set(change, keep = false) {
      Object.assign(state, keep ? {} : { shown: AT_ONCE }, change);
      show();
    }

    function fits(song) {
      const { words, part, range } = state;
      if (state.state && song.state !== state.state) return false;
      if (words && !`${song.name} ${song.reason}`.toLowerCase().includes(words)) return false;
      if (part && !holds(song, part)) return false;
      return !range || (song[range.column] !== null && song[range.column] >= range.from && (song[range.column] < range.to || range.last));
    }

    function holds(song, { kind, stem }) {
      const first = model.kinds.indexOf(kind) * model.stems.length;
      const at = stem ? [first + model.stems.indexOf(stem)] : model.stems.map((_, i) => first + i);
      return at.some((place) => song.parts.includes(place));
    }

    function compare(a, b) {
      const [one, other] = [a[state.sort], b[state.sort]];
      if (one === null || other === null) return (one === null) - (other === null); // what is not known comes last
      const order = typeof one === "string" ? collator.compare(one, other) : one - other;
      return (state.down ? -order : order) || collator.compare(a.name, b.name);
    }

    function show() {
      const found = songs.filter(fits).sort(compare);
      body.replaceChildren(...found.slice(0, state.shown).map(row));
      heads.forEach((head, i) => {
        if (COLUMNS[i][0] === state.sort) head.setAttribute("aria-sort", state.down ? "descending" : "ascending");
        else head.removeAttribute("aria-sort");
      });
      const of = model.songs > songs.length ? `; of ${model.songs}, ${songs.length} are listed` : "";
      told.textContent = `${found.length} of ${songs.length} songs${of}`;
      more.hidden = found.length <= state.shown;
      const { part, range } = state;
      chips.replaceChildren(...[
        part && chip(`with ${part.kind}${part.stem ? ` on ${part.stem}` : ""}`, { part: null }),
        range && chip(`${NAMES[range.column]} ${format.number(range.from)} to ${format.number(range.to)}`, { range: null }),
      ].filter(Boolean));
    }

    const chip = (text, change) => button(printable(text), { class: "chip", "aria-label": printable(`Remove the filter ${text}`), onclick: () => (set(change), search.focus()) });

    function row(song) {
      const name = song.report ? h("a", { href: `${model.base}${encodeURIComponent(song.name)}/${model.report}` }, bdi(song.name)) : bdi(song.name);
      const number = (value) => h("td", { class: "number" }, format.number(value));
      return h("tr", null,
        h("th", { scope: "row" }, name),
        h("td", { class: song.state === "failed" ? "failed" : null }, song.state, song.reason ? h("div", { class: "reason" }, bdi(song.reason)) : null),
        number(song.over), number(song.found), number(song.plain), number(song.processors), number(song.console), number(song.stems),
        h("td", { class: "number" }, song.seconds === null ? "–" : format.time(song.seconds, 0)));
    }

    atlas.on("filter", (asked) => {
      set(asked.kind ? { part: asked } : { range: asked });
      document.getElementById("songs").scrollIntoView({ block: "start" });
      search.focus({ preventScroll: true });
    });
    show();
  }

  grafx.songs = { create };
})();
