// The browser's own players, for those who cannot or would not use ours.
(() => {
  "use strict";
  const grafx = (globalThis.grafx ??= {});
  const { h, button } = grafx.dom;
  const { levels } = grafx;

  function create(page) {
    const place = document.querySelector("#plain .part-body");
    if (!place) return { update() {} };
    let made = [];
    const rows = h("div", { class: "plain-rows" });
    place.replaceChildren(h("p", { class: "hint" }, "The same sounds in the browser's own players: not matched in loudness, and each with its own position."), rows);

    function build() {
      made.forEach((address) => URL.revokeObjectURL(address));
      made = [];
      rows.replaceChildren(...levels.tracks(page.model).map(({ id, label }) => row(id, label)));
    }

    function row(id, label) {
      const key = page.model.tracks[id];
      const sound = page.model.sounds[key];
      const element = h("div", { class: "plain-row", "data-plain": id }, h("h3", null, label));
      const open = button(`Open the ${label.toLowerCase()}`, { class: "quiet", click: async () => {
        try {
          const audio = h("audio", { controls: true, preload: "metadata", "aria-label": label, src: await address(key, sound) });
          audio.addEventListener("play", () => page.player?.pause());
          audio.addEventListener("error", () => page.say(`This browser does not play ${sound.codec}.`, "warn"));
          open.replaceWith(audio);
          audio.focus();
        } catch (error) {
          page.say(String(error.message ?? error), "warn");
        }
      } });
      element.append(open);
      return element;
    }

    async function address(key, sound) {
      if (sound.src) return sound.src;
      const url = URL.createObjectURL(new Blob([await page.load(key)], { type: sound.mime }));
      made.push(url);
      return url;
    }

    page.on("heard", () => page.playing && rows.querySelectorAll("audio").forEach((audio) => audio.pause()));
    build();
    return { update: build };
  }

  grafx.plain = { create };
})();
