// The page of a graph, live: what is changed here is rendered by the server, and heard at once.
(() => {
  "use strict";
  const grafx = (globalThis.grafx ??= {});
  const { h, bdi, button, printable, unique } = grafx.dom;
  const { format } = grafx;
  const STEPS = 1000; // of a slider
  const SLACK = 1e-3; // of a range, before a number counts as beyond it
  const QUIET = 200; // ms without an edit, after which the whole page is brought up to date
  const PATIENCE = 5000; // ms, the most between two attempts to reach the server
  const FEW = 4; // values of a control that are shown at once

  const token = new URLSearchParams(location.search).get("token") ?? "";
  let page = null;
  let bar = null;
  let cable = null; // the edge that is chosen in the drawing
  let panel = null; // {id, element, knobs} of the chosen node
  let held = false; // whether a slider is being dragged
  let waiting = []; // edits that are not sent yet
  let busy = false;
  let later = null;
  let lost = 0; // attempts to reach the server that have failed

  const opened = new Map(); // what is folded out, and stays so

  const live = () => page.model.edit;
  const node = (id) => page.model.nodes[id];
  const name = (id) => node(id)?.label ?? `node ${id}`;

  // The server

  async function ask(path, body) {
    const how = body === undefined ? {} : { method: "POST", body: JSON.stringify(body) };
    const answer = await fetch(path, { ...how, cache: "no-store", headers: { "X-Grafx-Token": token, "Content-Type": "application/json" } });
    const told = await answer.json();
    if (!answer.ok) throw Object.assign(new Error(told.error ?? `The server answered ${answer.status}.`), { refused: true });
    return told;
  }

  // Edits go one after the other; of several turns of one knob only the last has to be heard.
  function send(path, body, done) {
    const last = waiting.at(-1);
    if (body.gesture && last?.body.gesture === body.gesture) waiting.pop();
    waiting.push({ path, body, done });
    return work();
  }

  async function work() {
    if (busy) return;
    busy = true;
    try {
      while (waiting.length) {
        const { path, body, done } = waiting.shift();
        try {
          take(await ask(path, body));
          clear();
          done?.();
        } catch (error) {
          if (!error.refused) throw error;
          complain(error.message);
          refill();
        }
      }
    } catch {
      waiting = [];
      busy = false;
      return reach();
    }
    busy = false;
    soon();
  }

  // What is heard changes at once; curves and levels follow when nothing has been changed for a moment.
  function take(told) {
    const { sounds, ...state } = told;
    const known = page.model.sounds;
    const next = { ...known };
    for (const [key, { src }] of Object.entries(sounds ?? {})) if (known[key]) next[key] = { ...known[key], src };
    page.model = { ...page.model, sounds: next, edit: { ...live(), ...state } };
    page.player?.update(page.model);
    tools();
  }

  // What is to see follows what is to hear: settings and cables at once, curves and levels a moment later.
  function soon() {
    clearTimeout(later);
    later = setTimeout(async () => (await describe("model?quick")) && (later = setTimeout(describe, QUIET, "model")), 0);
  }

  async function describe(path) {
    if (busy || held || waiting.length) return false;
    let model = null;
    try {
      model = await ask(path);
    } catch (error) {
      error.refused ? complain(error.message) : reach();
      return false;
    }
    if (model.edit.version < live().version || busy || held || waiting.length) return false;
    const focused = document.activeElement;
    grafx.app.update(model);
    if (cable && !edges().some((edge) => same(edge, cable))) cable = null;
    tools();
    refocus(focused);
    return true;
  }

  // The focus stays where it was, or on what is there in its place.
  function refocus(element) {
    if (!element || element === document.activeElement) return;
    const [name] = Object.keys(element.dataset);
    const there = element.isConnected ? element : name && panel?.element.querySelector(`[data-${name}="${CSS.escape(element.dataset[name])}"]`);
    there?.focus({ preventScroll: true });
  }

  // After a lost connection the server is asked until it answers.
  async function reach() {
    lost += 1;
    bar.lost.hidden = false;
    bar.lost.textContent = "The server does not answer: what was changed last may be lost. Is grafx open still running? Trying again …";
    await new Promise((resolve) => setTimeout(resolve, Math.min(PATIENCE, 250 * 2 ** lost)));
    try {
      const model = await ask("model");
      lost = 0;
      bar.lost.hidden = true;
      grafx.app.update(model);
      tools();
      page.say("The server answers again.");
    } catch (error) {
      if (error.refused) bar.lost.textContent = error.message;
      else reach();
    }
  }

  function complain(text) {
    bar.error.hidden = false;
    bar.error.textContent = printable(text);
    page.say(text, "warn");
  }

  function clear() {
    bar.error.hidden = true;
    bar.error.textContent = "";
  }

  const edit = (what, gesture = null) => send("edit", gesture ? { ...what, gesture } : what);

  // The bar over the graph

  function build() {
    bar = {
      undo: button("Undo", { id: "live-undo", title: "Ctrl+Z", click: () => send("undo", {}) }),
      redo: button("Redo", { id: "live-redo", title: "Ctrl+Shift+Z", click: () => send("redo", {}) }),
      save: button("Save beside", { id: "live-save", title: "Ctrl+S", click: () => save(false) }),
      over: button("Save over …", { id: "live-over", class: "quiet", click: () => sure() }),
      place: h("span", { class: "hint", id: "live-place", role: "status" }),
      error: h("p", { class: "live-error", id: "live-error", role: "alert", hidden: true }),
      lost: h("p", { class: "live-error", id: "live-lost", role: "alert", hidden: true }),
      cable: h("div", { class: "live-cable", id: "live-cable" }),
    };
    const top = h("div", { class: "live-bar unprinted" },
      h("div", { class: "buttons", role: "group", "aria-label": "Edits" }, bar.undo, bar.redo, bar.save, bar.over), bar.place, bar.error, bar.lost, bar.cable);
    document.querySelector("#graph h2").after(top);
  }

  function tools() {
    const { can_undo: undo, can_redo: redo, changed, saved } = live();
    bar.undo.disabled = !undo;
    bar.redo.disabled = !redo;
    bar.place.textContent = changed ? "Changed, not saved" : `As in ${printable(saved)}`;
    chosenCable();
  }

  function save(over) {
    return send("save", { over }, () => page.say(`Saved in ${live().saved}.`, "good"));
  }

  function sure() {
    const yes = button("Save over it", { id: "live-sure", value: "yes", click: () => (dialog.close(), save(true)) });
    const dialog = h("dialog", { class: "live-sure", "aria-label": "Save over the old graph" },
      h("p", null, "This replaces the graph and the parameters in ", bdi(live().folder), ". The old ones are lost."),
      h("form", { method: "dialog", class: "buttons" }, yes, h("button", { autofocus: true }, "Leave it")));
    dialog.addEventListener("close", () => dialog.remove());
    document.body.append(dialog);
    dialog.showModal();
  }

  // Cables

  const edges = () => page.model.picture.edges;
  const same = (one, other) => one.source === other.source && one.dest === other.dest && one.key === other.key;
  const plugged = ({ outlet, inlet }) => (outlet === "main" && inlet === "main" ? "" : ` (${outlet} to ${inlet})`);

  function chosenCable() {
    bar.cable.replaceChildren(...(cable ? cableTools(cable, true) : []));
  }

  function cableTools(edge, whole) {
    const types = h("select", { "aria-label": "Processor to insert" }, live().types.map((type) => h("option", { value: type }, printable(type))));
    const ends = [edge.source, edge.dest, edge.key];
    return [
      whole ? h("span", null, "Cable from ", bdi(name(edge.source)), " to ", bdi(name(edge.dest)), printable(plugged(edge))) : h("span", null, "to ", bdi(name(edge.dest)), printable(plugged(edge))),
      types,
      button("Insert", { "data-insert": ends.join(), click: () => edit({ op: "insert", type: types.value, edge: ends }) }),
      button("Disconnect", { "data-disconnect": ends.join(), click: () => edit({ op: "disconnect", edge: ends }) }),
      whole ? button("Done", { class: "quiet", click: () => ((cable = null), chosenCable()) }) : null,
    ].filter(Boolean);
  }

  function cables(id) {
    const own = edges().filter((edge) => edge.source === id);
    const outlets = live().plugs[node(id).type]?.outlets ?? [];
    if (!outlets.length) return null;
    return fold("cables", "live-cables", false, "Cables from here",
      own.map((edge) => h("div", { class: "live-cable" }, cableTools(edge, false))), connector(id, outlets));
  }

  function connector(id, outlets) {
    const choice = (label, values) => h("select", { "aria-label": label }, values.map((value) => h("option", { value }, printable(value))));
    const outlet = choice("Outlet", outlets);
    const inlet = choice("Inlet", []);
    const dest = h("select", { "aria-label": "Node to connect to", change: () => plugs() }, Object.values(page.model.nodes)
      .filter((other) => other.id !== id && live().plugs[other.type]?.inlets.length).map((other) => h("option", { value: other.id }, printable(`${other.label} · ${other.id}`))));
    function plugs() {
      const names = live().plugs[node(dest.value)?.type]?.inlets ?? [];
      inlet.replaceChildren(...names.map((value) => h("option", { value }, printable(value))));
      inlet.hidden = names.length < 2;
    }
    outlet.hidden = outlets.length < 2;
    plugs();
    return h("div", { class: "live-cable" }, "Connect ", outlet, " to ", dest, inlet,
      button("Connect", { "data-connect": id, click: () => edit({ op: "connect", source: id, dest: Number(dest.value), outlet: outlet.value, inlet: inlet.value }) }));
  }

  // The chosen node

  function show(id) {
    const place = id === null ? null : grafx.app.panel(id);
    if (!place || !node(id)) {
      panel = null;
      return;
    }
    // What is the same stays, with what has been chosen in it.
    const { bypassed, wet: weight, label } = node(id);
    const signature = JSON.stringify([bypassed, weight, label, live().knobs[id], live().types, Object.values(page.model.nodes).map((one) => one.label), edges()
      .filter((edge) => edge.source === id).map(({ dest, key, outlet, inlet }) => [dest, key, outlet, inlet])]);
    if (panel?.id !== id || panel.signature !== signature) {
      panel = { id, signature, element: h("div", { class: "live-node" }), knobs: new Map() };
      panel.element.append(...[switches(id), wet(id), ...controls(id), cables(id)].filter(Boolean));
    }
    place.replaceChildren(panel.element);
  }

  function switches(id) {
    const about = node(id);
    const passes = about.type !== "in" && about.type !== "out";
    const weighted = about.wet !== null && about.wet !== undefined;
    if (!passes) return null;
    return h("div", { class: "buttons" },
      weighted ? button("Bypass", { "data-bypass": id, "aria-pressed": String(about.bypassed), click: () => edit({ op: "bypass", node: id, on: !node(id).bypassed }) }) : null,
      button("Remove", { "data-remove": id, click: () => edit({ op: "remove", node: id }) }));
  }

  function wet(id) {
    const weight = live().weights[id];
    if (weight === undefined) return null;
    return knob({ label: "Dry/wet", key: "wet", value: 100 * weight, low: 0, high: 100, unit: "%", scale: "linear" },
      (value, gesture) => edit({ op: "wet", node: id, value: value / 100 }, gesture));
  }

  function controls(id) {
    return (live().knobs[id] ?? []).map((control) => {
      const made = control.knobs.map(({ path, part, value }) => knob(
        { ...control, label: control.knobs.length > 1 ? part : control.name, key: path.join("/"), value },
        (next, gesture) => edit({ op: "set", node: id, path, value: next }, gesture)));
      if (made.length === 1) return made[0];
      return fold(`${node(id).type}/${control.name}`, "live-many", made.length <= FEW, bdi(control.name), made);
    });
  }

  function fold(key, kind, open, summary, ...content) {
    const made = h("details", { class: kind, open: opened.get(key) ?? open }, h("summary", null, summary), content);
    made.addEventListener("toggle", () => opened.set(key, made.open));
    return made;
  }

  // A slider and a field for one number, in its unit.
  function knob({ label, key, value, low, high, unit, scale }, turned) {
    const log = scale === "log" && low > 0;
    const at = (number) => (log ? Math.log(number / low) / Math.log(high / low) : (number - low) / (high - low));
    const from = (place) => (log ? low * Math.exp(place * Math.log(high / low)) : low + place * (high - low));
    const id = unique("knob");
    let gesture = null;
    const slider = h("input", { type: "range", min: 0, max: STEPS, step: 1, "data-knob": key, "aria-labelledby": id });
    const field = h("input", { type: "number", step: "any", "data-field": key, "aria-labelledby": id });
    const note = h("small", { class: "knob-note" }, `found beyond what can be set, ${format.number(low)} to ${format.number(high)} ${unit}`);
    function put(number) {
      const known = number !== null && number !== undefined;
      note.hidden = !known || (number >= low - SLACK * (high - low) && number <= high + SLACK * (high - low));
      slider.value = known ? Math.round(STEPS * Math.min(1, Math.max(0, at(log ? Math.max(number, low) : number)))) : 0;
      slider.setAttribute("aria-valuetext", known ? `${format.number(number)} ${unit}` : "unknown");
      field.value = known ? String(Number(number.toPrecision(5))) : "";
    }
    slider.addEventListener("pointerdown", () => (held = true));
    slider.addEventListener("input", () => {
      gesture ??= `${unique("gesture")}-${Date.now()}`;
      const number = Number(from(Number(slider.value) / STEPS).toPrecision(4));
      field.value = String(number);
      slider.setAttribute("aria-valuetext", `${format.number(number)} ${unit}`);
      turned(number, gesture);
    });
    slider.addEventListener("change", () => {
      held = false;
      gesture = null;
      if (!busy) soon();
    });
    field.addEventListener("change", () => (field.value === "" ? refill() : turned(Number(field.value), null)));
    put(value);
    panel?.knobs.set(key, put);
    return h("div", { class: "knob" }, h("span", { id, class: "knob-name" }, bdi(label)), slider, field, h("span", { class: "knob-unit" }, unit), note);
  }

  // Sliders go back to what is so, after a refusal.
  function refill() {
    if (!panel) return;
    for (const { knobs } of live().knobs[panel.id] ?? []) for (const { path, value } of knobs) panel.knobs.get(path.join("/"))?.(value);
    panel.knobs.get("wet")?.(100 * (live().weights[panel.id] ?? 1));
  }

  function keys(event) {
    if (!(event.ctrlKey || event.metaKey) || event.altKey || document.querySelector("dialog[open]")) return;
    const key = event.key.toLowerCase();
    const typing = event.target instanceof Element && event.target.closest("input:not([type=range], [type=checkbox]), textarea");
    const action = key === "s" && !event.shiftKey ? () => save(false)
      : typing ? null
        : key === "z" ? () => (event.shiftKey ? live().can_redo && send("redo", {}) : live().can_undo && send("undo", {}))
          : key === "y" ? () => live().can_redo && send("redo", {}) : null;
    if (!action) return;
    event.preventDefault();
    action();
  }

  function start() {
    page = grafx.app.page;
    if (!page?.model.live) return;
    build();
    page.on("panel", show);
    page.on("edge", (edge) => ((cable = edge), chosenCable()));
    document.addEventListener("keydown", keys);
    for (const end of ["pointerup", "pointercancel"]) addEventListener(end, () => held && ((held = false), busy || soon()));
    show(page.selected);
    tools();
  }

  document.addEventListener("DOMContentLoaded", start);
  grafx.live = { edit, ask, get waiting() { return busy || waiting.length > 0; } };
})();
