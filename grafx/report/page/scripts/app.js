// The page as a whole: what is chosen, heard and compared; each part shows it in its own way.
(() => {
  "use strict";
  const grafx = (globalThis.grafx ??= {});
  const { h, printable } = grafx.dom;
  const { format, levels } = grafx;
  const PARTS = ["theme", "graph", "inspector", "listen", "spectra", "losses", "story", "chains", "settings", "plain", "transport", "keys", "paper"];

  let page = null;
  let parts = {};

  const open = () => start(JSON.parse(document.getElementById("grafx-model").textContent));

  function start(model) {
    page = bench(model);
    parts = Object.fromEntries(PARTS.map((name) => [name, grafx[name].create(page) ?? {}]));
    contents();
    page.emit("ready");
    page.emit("loop");
    page.refresh();
    page.tick();
    page.prefetch();
    return page;
  }

  // Another model of the same song: the choice, the position and what plays stay as they are.
  function update(model) {
    page.model = model;
    if (page.selected !== null && !model.nodes[page.selected]) page.select(null);
    for (const side of ["a", "b"]) if (!page.choice(page.slots[side])) page.slots[side] = levels.tracks(model)[0]?.id ?? null;
    for (const name of PARTS) parts[name].update?.();
    page.emit("update");
    const going = page.player?.update(model);
    page.refresh();
    return going;
  }

  function contents() {
    const list = document.getElementById("contents");
    const shown = [...document.querySelectorAll("main > .part")].filter((part) => !part.hidden);
    list.replaceChildren(...shown.map((part) => h("li", null, h("a", { href: `#${part.id}` }, part.dataset.short))));
  }

  function bench(model) {
    const listeners = new Map();
    const followers = new Set();
    const player = grafx.player.available() && Object.keys(model.sounds).length ? grafx.player.create(model, load) : null;
    const tracks = levels.tracks(model).map(({ id }) => id);
    const state = {
      model,
      player,
      selected: null,
      slots: { a: tracks[0] ?? null, b: tracks[1] ?? tracks[0] ?? null },
      side: "a",
      match: true,
      marking: false, // whether a drag over a waveform marks a loop
      region: null, // the loop marked last
      waiting: false,
      audible: () => [],
      load,
      say,
      emit: (event, detail) => listeners.get(event)?.forEach((fn) => fn(detail)),
      on: (event, fn) => listeners.set(event, [...(listeners.get(event) ?? []), fn]),
      // fn(time) at every step of the position; the answer ends that
      follow(fn) {
        followers.add(fn);
        fn(this.time);
        return () => followers.delete(fn);
      },
      get time() { return player?.time ?? 0; },
      get playing() { return player?.playing ?? false; },
      get loop() { return player?.loop ?? null; },
      get active() { return this.slots[this.side]; },
      choice(id) { return id ? levels.choice(this.model, id, this.audible()) : null; },

      select(id, jump = false) {
        if (id !== null && !this.model.nodes[id]) return;
        if (id !== this.selected) {
          this.selected = id;
          this.emit("select", id);
        }
        if (jump) document.getElementById("graph").scrollIntoView({ behavior: still() ? "auto" : "smooth" });
      },

      // The gains of A and B, as they are compared.
      gains() {
        const sides = ["a", "b"].filter((side) => this.choice(this.slots[side]));
        const compared = sides.map((side) => this.choice(this.slots[side]));
        const found = levels.gains(this.model, compared, this.match, (key) => player?.peak(key) ?? null);
        return Object.fromEntries(["a", "b"].map((side) => [side, sides.includes(side) ? found[sides.indexOf(side)] : null]));
      },

      // Tell the player what is to be heard now.
      refresh() {
        const choice = this.choice(this.active);
        const gain = this.gains()[this.side] ?? 1;
        const done = player?.choose(choice ? choice.keys.map((key, i) => ({ key, gain: choice.on[i] ? gain : 0 })) : []);
        this.emit("heard");
        return done;
      },

      // Both sides are decoded before one is heard, so that their levels are known and the switch takes no time.
      async ready() {
        const keys = ["a", "b"].flatMap((side) => this.choice(this.slots[side])?.keys ?? []);
        this.waiting = keys.some((key) => player.peak(key) === null);
        if (this.waiting) this.emit("heard");
        await Promise.allSettled(keys.map((key) => player.fetch(key)));
        this.waiting = false;
      },

      async play() {
        if (!player || !this.choice(this.active)) return;
        const asked = player.play(); // within the gesture, which browsers ask for
        await this.ready();
        this.refresh();
        await asked;
      },

      toggle() { return this.playing ? player.pause() : this.play(); },

      hear(id) {
        if (!this.choice(id)) return;
        if (id === this.active && id !== "stems" && this.playing) return player.pause();
        this.put(this.side, id);
        if (!this.playing) return this.play();
      },

      put(side, id) {
        if (!this.choice(id)) return;
        this.slots[side] = id;
        this.refresh();
        if (player) this.ready().then(() => this.refresh());
      },

      compare(a, b) {
        this.slots = { a, b };
        this.side = "a";
        this.refresh();
        return this.play();
      },

      switchTo(side) {
        if (!this.choice(this.slots[side])) return;
        this.side = side;
        say(`${side.toUpperCase()}: ${this.choice(this.active).label}`);
        return this.refresh();
      },

      setMatch(on) {
        this.match = on;
        this.refresh();
      },

      seek(seconds) { player?.seek(seconds); this.tick(); },

      setLoop(region, keep = false) {
        if (!player) return;
        if (!keep || region) this.region = region && region.end !== null ? region : keep ? this.region : null;
        player.setLoop(region);
      },
      loopFrom() { const { end } = this.loop ?? {}; this.setLoop({ start: this.time, end: end > this.time + 0.05 ? end : this.model.seconds }); },
      loopTo() { const { start } = this.loop ?? {}; const end = Math.max(this.time, 0.05); this.setLoop({ start: start < end - 0.05 ? start : 0, end }); },

      tick() { const now = this.time; followers.forEach((fn) => fn(now)); },

      // What will be heard first is decoded while nobody waits for it.
      prefetch() {
        if (!player) return;
        const later = globalThis.requestIdleCallback ?? ((fn) => setTimeout(fn, 200));
        const wanted = ["a", "b"].map((side) => this.choice(this.slots[side])?.keys[0]).filter(Boolean);
        later(async () => {
          for (const key of wanted) await player.fetch(key).catch(() => {});
          this.refresh();
        });
      },
    };
    connect(state, player);
    return state;
  }

  function connect(state, player) {
    if (!player) return;
    let moving = false;
    const frame = () => {
      state.tick();
      moving = state.playing;
      if (moving) requestAnimationFrame(frame);
    };
    player.on("state", () => {
      state.emit("heard");
      if (state.playing && !moving) (moving = true), requestAnimationFrame(frame);
      state.tick();
    });
    player.on("time", () => state.tick());
    player.on("loop", () => state.emit("loop"));
    player.on("waiting", (on) => ((state.waiting = on), state.emit("heard")));
    player.on("moved", ({ start, end }) => say(`What is heard lies between ${format.time(start)} and ${format.time(end)}: the position has moved there.`));
    player.on("error", (error) => say(`This sound cannot be played here: ${error.message ?? error}`, "warn"));
  }

  const still = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

  // The bytes of a sound: from an address of the live page, or from the page itself.
  async function load(key) {
    const sound = page.model.sounds[key];
    if (sound?.src) {
      const answer = await fetch(sound.src);
      if (!answer.ok) throw new Error(`the server answered ${answer.status}`);
      return answer.arrayBuffer();
    }
    const holder = [...document.querySelectorAll("script[data-sound]")].find((script) => script.dataset.sound === key);
    if (!holder) throw new Error(`the page does not have the sound ${printable(key)}`);
    const text = atob(holder.textContent.trim());
    const bytes = new Uint8Array(text.length);
    for (let i = 0; i < text.length; i += 1) bytes[i] = text.charCodeAt(i);
    return bytes.buffer;
  }

  let gone = null;
  function say(text, kind = "") {
    const place = document.getElementById("said");
    place.textContent = printable(text);
    place.className = `said unprinted shown ${kind}`;
    clearTimeout(gone);
    gone = setTimeout(() => place.classList.remove("shown"), 6000);
  }

  grafx.app = {
    open,
    start,
    update,
    say,
    select: (id, jump) => page.select(id, jump),
    panel: (id) => parts.inspector?.panel(id) ?? null,
    on: (event, fn) => page.on(event, fn),
    get page() { return page; },
    get model() { return page?.model; },
    get selected() { return page?.selected ?? null; },
    get player() { return page?.player ?? null; },
    get viewer() { return parts.graph?.view ?? null; },
  };
})();
