// The atlas as a whole: what is chosen, and its key figures.
(() => {
  "use strict";
  const grafx = (globalThis.grafx ??= {});
  const { h } = grafx.dom;
  const { format } = grafx;

  function open() {
    const model = JSON.parse(document.getElementById("grafx-atlas").textContent);
    const states = Object.keys(model.states);
    const songs = model.rows.map((row) => {
      const song = Object.fromEntries(model.columns.map((name, i) => [name, row[i] ?? null]));
      return { ...song, state: states[song.state] };
    });
    const listeners = new Map();
    const atlas = {
      model,
      songs,
      kind: model.kinds[0] ?? null,
      stem: "",
      on: (event, fn) => listeners.set(event, [...(listeners.get(event) ?? []), fn]),
      emit: (event, detail) => listeners.get(event)?.forEach((fn) => fn(detail)),
      choose(kind, stem) {
        Object.assign(this, { kind, stem });
        this.emit("choose");
      },
      filter(asked) { this.emit("filter", asked); },
    };
    for (const part of ["theme", "survival", "settings", "losses", "songs"]) grafx[part].create(atlas);
    figures(atlas);
    if (atlas.kind) atlas.choose(atlas.kind, "");
    grafx.atlas.page = atlas;
  }

  function figures({ model, songs }) {
    const { done, failed } = model.states;
    const over = songs.map((song) => song.over).filter((value) => value !== null).sort((a, b) => a - b);
    const hours = model.seconds / 3600;
    const facts = [
      ["songs done", `${done} of ${model.songs}`],
      failed ? ["failed", String(failed)] : null,
      over.length ? ["median loss / plain sum", format.number(over[Math.floor((over.length - 1) / 2)])] : null,
      done ? ["processors found", String(model.processors)] : null,
      done ? ["a song", format.number(model.processors / done)] : null,
      model.console ? ["of the consoles' survive", `${format.number((100 * model.processors) / model.console)} %`] : null,
      model.seconds ? ["time of searching", hours >= 1 ? `${format.number(hours)} h` : `${format.number(model.seconds / 60)} min`] : null,
    ];
    document.getElementById("figures").append(...facts.filter(Boolean).map(([name, value]) => h("div", null, h("dt", null, name), h("dd", null, value))));
  }

  grafx.atlas = { open };
})();
