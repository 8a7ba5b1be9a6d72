// Mix, target and difference, and the stems, each alone or without some.
(() => {
  "use strict";
  const grafx = (globalThis.grafx ??= {});
  const { h, bdi, button, printable } = grafx.dom;
  const { format, levels } = grafx;
  const HEARD = -60; // dB: what stems leave out of the mix is worth a word above it

  function create(page) {
    const place = document.querySelector("#listen .part-body");
    if (!place) return { update() {} };
    const solo = new Set();
    const mute = new Set();
    const wave = grafx.wave.create(page, { label: "Position in the song" });
    const name = h("p", { class: "wave-name" });
    const tracks = h("div", { class: "buttons", role: "group", "aria-label": "Tracks" });
    const stems = h("div", { class: "stems" });
    place.replaceChildren(tracks, name, wave.element, loopTools(page), stems);
    page.follow(wave.follow);
    page.on("loop", () => wave.loop(page.loop));
    page.audible = () => levels.stems(page.model).map(({ name }) => (solo.size ? solo.has(name) : !mute.has(name)));

    function flip(set, stem) {
      set.has(stem) ? set.delete(stem) : set.add(stem);
      page.hear("stems");
      marks();
    }

    function build() {
      tracks.replaceChildren(...levels.tracks(page.model).map(({ id, label }) => button(label, { class: "hear", "data-hear": id, "aria-pressed": "false", click: () => page.hear(id) })));
      const all = levels.stems(page.model);
      stems.replaceChildren(...(all.length ? [...stemList(all), note()].filter(Boolean) : []));
      marks();
    }

    function stemList(all) {
      const toggle = (stem, set, label) => button(label.charAt(0), { class: "toggle", "data-stem": stem, "data-kind": label, "aria-label": `${label} ${printable(stem)}`, title: label, "aria-pressed": "false", click: () => flip(set, stem) });
      return [
        h("h3", null, "Stems ", button("Play all", { class: "link", "data-hear": "stems", click: () => (solo.clear(), mute.clear(), page.hear("stems"), marks()) })),
        h("ul", null, all.map(({ name: stem, node, solo: key }) => h("li", { "data-stem-row": stem },
          h("span", { class: "stem-name" }, page.model.nodes[node] ? button(bdi(stem), { class: "link", click: () => page.select(node, true) }) : bdi(stem)),
          h("span", { class: "stem-buttons", role: "group", "aria-label": printable(stem) }, toggle(stem, solo, "Solo"), toggle(stem, mute, "Mute")),
          small(page.model.sounds[key]),
          h("span", { class: "number" }, page.model.sounds[key].lufs === null ? "silent" : `${format.fixed(page.model.sounds[key].lufs, 1)} LUFS`)))),
      ];
    }

    function small(sound) {
      const drawn = grafx.wave.create(page, { thin: true, label: "" });
      drawn.show(sound);
      const picture = drawn.element.querySelector("svg");
      picture.setAttribute("class", "wave-still");
      return picture;
    }

    function note() {
      const level = page.model.tracks.additive_db;
      if (level === null || level === undefined || level <= HEARD) return null;
      return h("p", { class: "hint" }, `Stems alone do not add up to the mix, because processors that they share react to their sum: `
        + `what they leave is ${format.fixed(level, 1)} dB relative to the mix.`);
    }

    function marks() {
      const audible = page.audible();
      levels.stems(page.model).forEach(({ name: stem }, i) => {
        for (const item of stems.querySelectorAll("[data-stem]")) {
          if (item.dataset.stem === stem) item.setAttribute("aria-pressed", String((item.dataset.kind === "Solo" ? solo : mute).has(stem)));
        }
        for (const row of stems.querySelectorAll("[data-stem-row]")) if (row.dataset.stemRow === stem) row.classList.toggle("off", !audible[i]);
      });
      for (const item of place.querySelectorAll("[data-hear]")) item.setAttribute("aria-pressed", String(item.dataset.hear === page.active && page.playing));
      const heard = page.choice(page.active);
      wave.show(heard ? page.model.sounds[heard.keys.length === 1 ? heard.keys[0] : page.model.tracks.mix] : null);
      name.replaceChildren(...(heard ? [bdi(heard.label)] : []));
    }

    page.on("heard", marks);
    page.on("ready", build);
    return { update: build };
  }

  function loopTools(page) {
    const place = h("p", { class: "hint", "aria-live": "polite" });
    const mark = h("input", { type: "checkbox", id: "marking", change: () => (page.marking = mark.checked) });
    const clear = button("Forget it", { class: "link", click: () => page.setLoop(null) });
    page.on("loop", () => {
      const { loop } = page;
      place.textContent = loop && loop.end !== null ? `Loop ${format.time(loop.start)} to ${format.time(loop.end)}` : "";
      clear.hidden = !loop || loop.end === null;
    });
    clear.hidden = true;
    return h("div", { class: "loop-tools" },
      h("label", { class: "check" }, mark, "Drag marks a loop"),
      button("Loop from here", { class: "quiet", click: () => page.loopFrom() }),
      button("Loop to here", { class: "quiet", click: () => page.loopTo() }),
      place, clear);
  }

  grafx.listen = { create };
})();
