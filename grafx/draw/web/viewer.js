/* The interactive drawing of a graph: grafx.viewer.create(container, picture, {onSelect, onEdge}). */
(() => {
"use strict";
const grafx = (globalThis.grafx ??= {});

const SVG = "http://www.w3.org/2000/svg";
const BUILT_IN = new Set(["in", "out", "mix"]);
const SCALES = { least: 0.02, most: 8, fit: 1.6, readable: 0.5, start: 0.8, far: 0.3 };
const MARGIN = 14; // pixels around a drawing that fits
const ARROW = { length: 6, half: 2.6 };
const LOOP_REACH = 9;
const STEP = 60; // pixels that an arrow key moves the drawing
const ALL_WET = 0.995;
const DRAG = 4; // pixels from which on a press is no click
const ROOM = { x: 14, y: 8 }; // kept where folded nodes leave nothing

// --- Elements -----------------------------------------------------------------------------------------------

function html(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  return filled(element, properties, children);
}

function svg(tag, properties = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  return filled(element, properties, children);
}

function filled(element, properties, children) {
  for (const [name, value] of Object.entries(properties)) {
    if (name === "text") element.textContent = value;
    else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children);
  return element;
}

// --- Folding: chains and groups as one node each ------------------------------------------------------------

/** What can be folded: key to {kind, name, members}. */
function foldsOf(picture) {
  const folds = new Map();
  const put = (key, kind, name, id) => {
    if (!folds.has(key)) folds.set(key, { key, kind, name, members: new Set() });
    folds.get(key).members.add(id);
  };
  const parents = new Map((picture.groups ?? []).map(({ name, parent }) => [name, parent]));
  for (const node of picture.nodes) {
    if (!BUILT_IN.has(node.type)) put(`chain ${node.chain}`, "chain", null, node.id);
    const seen = new Set();
    for (let name = node.group; name != null && !seen.has(name); name = parents.get(name)) {
      seen.add(name);
      put(`group ${name}`, "group", name, node.id);
    }
  }
  for (const [key, fold] of folds) if (fold.members.size < 2) folds.delete(key);
  return folds;
}

/** The largest of the closed folds first, each without what is in one before it. */
function hostsOf(folds, closed) {
  const hosts = new Map();
  const chosen = [...closed].filter((key) => folds.has(key)).map((key) => folds.get(key));
  for (const fold of chosen.sort((a, b) => (a.kind === "group" ? 0 : 1) - (b.kind === "group" ? 0 : 1) || b.members.size - a.members.size))
    for (const id of fold.members) if (!hosts.has(id)) hosts.set(id, fold);
  return hosts;
}

/** The connected parts of what is folded, each with the routes from its first node to all others. */
function shellsOf(picture, hosts) {
  const inside = new Map();
  for (const edge of picture.edges) {
    if (edge.source === edge.dest || !hosts.has(edge.source) || hosts.get(edge.source) !== hosts.get(edge.dest)) continue;
    for (const [from, to, points] of [[edge.source, edge.dest, edge.points], [edge.dest, edge.source, edge.points.toReversed()]]) {
      if (!inside.has(from)) inside.set(from, []);
      inside.get(from).push({ to, points });
    }
  }
  const shells = [], shellOf = new Map();
  const isNamed = (node) => node.name !== null && hosts.get(node.id).name === node.name;
  const order = picture.nodes.filter((node) => hosts.has(node.id)).sort((a, b) => isNamed(b) - isNamed(a) || a.x - b.x);
  for (const first of order) {
    if (shellOf.has(first.id)) continue;
    const fold = hosts.get(first.id);
    const routes = new Map([[first.id, []]]);
    const shell = { id: `${fold.key} ${first.id}`, fold, first, routes };
    const waiting = [first.id];
    for (const id of waiting) {
      shellOf.set(id, shell);
      for (const { to, points } of inside.get(id) ?? []) {
        if (routes.has(to)) continue;
        routes.set(to, [...routes.get(id), ...points]);
        waiting.push(to);
      }
    }
    if (waiting.length > 1) shells.push(shell);
    else shellOf.delete(first.id);
  }
  return { shells, shellOf };
}

/** A monotone map of one axis that shortens what nothing occupies any more. */
function squeezed(occupied, hidden, room) {
  if (!hidden.length) return (x) => x;
  const cuts = []; // from, to, what is left out of it
  const merged = [];
  for (const [low, high] of occupied.sort((a, b) => a[0] - b[0])) {
    if (merged.length && low <= merged.at(-1)[1]) merged.at(-1)[1] = Math.max(merged.at(-1)[1], high);
    else merged.push([low, high]);
  }
  const ends = [[-Infinity, Math.min(...hidden.map(([low]) => low))], ...merged, [Math.max(...hidden.map(([, high]) => high)), Infinity]];
  for (let i = 1; i < ends.length; i++) {
    const [from, to] = [ends[i - 1][1], ends[i][0]];
    const free = to - from - room;
    if (free > 0 && hidden.some(([low, high]) => low < to && high > from)) cuts.push([from, to, free]);
  }
  return (x) => {
    let moved = x;
    for (const [from, to, free] of cuts) {
      if (x >= to) moved -= free;
      else if (x > from) moved -= (free * (x - from)) / (to - from);
    }
    return moved;
  };
}

/** Where everything is while some is folded. */
function arrange(picture, folds, closed) {
  const { shells, shellOf } = shellsOf(picture, hostsOf(folds, closed));
  const nodes = picture.nodes.filter((node) => !shellOf.has(node.id));
  for (const { id, fold, first, routes } of shells) {
    const members = picture.nodes.filter((node) => routes.has(node.id));
    nodes.push({
      ...first, id, fold, members, type: fold.kind, name: fold.name, short: String(members.length), round: false,
      above: fold.name === null ? null : fold.name.length > 24 ? `${fold.name.slice(0, 23)}…` : fold.name,
      lines: counted(members.map((node) => node.type)), wet: null, bypassed: false, fill: null, ink: null, outline: null,
    });
  }
  const edges = [];
  for (const edge of picture.edges) {
    const [from, to] = [shellOf.get(edge.source), shellOf.get(edge.dest)];
    if (from !== undefined && from === to) continue;
    const points = [
      ...(from?.routes.get(edge.source) ?? []), ...edge.points, ...(to?.routes.get(edge.dest) ?? []).toReversed(),
    ];
    edges.push({ ...edge, from: from?.id ?? edge.source, to: to?.id ?? edge.dest, points });
  }
  return shells.length ? compacted(picture, nodes, edges, shellOf) : { nodes, edges, width: picture.width, height: picture.height };
}

function compacted(picture, nodes, edges, shellOf) {
  const gone = picture.nodes.filter((node) => shellOf.has(node.id));
  const across = [], along = [];
  for (const node of nodes) {
    const half = Math.max(node.width / 2 + 9, (node.above?.length ?? 0) * 2.3);
    along.push([node.x - half, node.x + half]);
    across.push([node.y - node.height / 2 - (node.above ? 12 : 2), node.y + node.height / 2 + 2]);
  }
  for (const { points } of edges)
    points.forEach(([x, y], i) => {
      across.push([y - 4, y + 4]);
      if (i && Math.abs(points[i - 1][1] - y) > 1e-6) along.push([Math.min(points[i - 1][0], x), Math.max(points[i - 1][0], x)]);
    });
  const extent = (axis, size) => gone.map((node) => [node[axis] - node[size] / 2, node[axis] + node[size] / 2]);
  const x = squeezed(along, extent("x", "width"), ROOM.x), y = squeezed(across, extent("y", "height"), ROOM.y);
  const [left, top] = [Math.min(0, x(0)), Math.min(0, y(0))];
  const moved = nodes.map((node) => ({ ...node, x: x(node.x) - left, y: y(node.y) - top }));
  const byId = new Map(moved.map((node) => [node.id, node]));
  const routed = edges.map((edge) => {
    let points = edge.points.map((p) => [x(p[0]) - left, y(p[1]) - top]);
    const [from, to] = [byId.get(edge.from), byId.get(edge.to)];
    if (from.fold) points = withoutDetour(points, from, moved, 1);
    if (to.fold) points = withoutDetour(points.toReversed(), to, moved, -1).toReversed();
    return { ...edge, points };
  });
  return { nodes: moved, edges: routed, width: x(picture.width) - left, height: y(picture.height) - top };
}

/** A route that leads back before it leads on begins at the far side instead, in the room between two columns. */
function withoutDetour(points, node, nodes, sign) {
  const start = (n) => sign * n.x - n.width / 2, end = (n) => sign * n.x + n.width / 2;
  if (points.every(([x]) => sign * x >= end(node) - 1)) return points;
  const column = Math.max(...nodes.filter((n) => start(n) < end(node) && end(n) > start(node)).map(end));
  const next = Math.min(...nodes.map(start).filter((x) => x > column), column + 2 * ROOM.x);
  const turn = (column + next) / 2;
  const i = points.findLastIndex(([x], k) => k > 0 && sign * points[k - 1][0] <= turn && sign * x > turn);
  if (i < 0) return points;
  const [y, far] = [points[i - 1][1], points[i]];
  const joint = Math.abs(y - far[1]) < 1e-6 ? [[sign * Math.min(next, sign * far[0]), y]] : [];
  return [[sign * end(node), node.y], [sign * column, node.y], ...joint, ...points.slice(i)];
}

function counted(types) {
  const counts = new Map();
  for (const type of types) counts.set(type, (counts.get(type) ?? 0) + 1);
  return [...counts].map(([type, count]) => (count > 1 ? `${count} × ${type}` : type));
}

// --- Shapes -------------------------------------------------------------------------------------------------

function numbers(...values) {
  return values.map((value) => Math.round(value * 100) / 100).join(" ");
}

/** The line of an edge, and its arrowhead. */
function shapesOf(points, isLoop) {
  const tip = points.at(-1);
  const before = points.findLast(([x]) => Math.abs(x - tip[0]) > 1e-6) ?? points[0];
  const [dx, dy] = isLoop ? [0, 1] : [Math.sign(tip[0] - before[0]) || 1, 0];
  const base = [tip[0] - ARROW.length * dx, tip[1] - ARROW.length * dy];
  const side = [ARROW.half * dy, ARROW.half * dx];
  const head = `M${numbers(...tip)}L${numbers(base[0] + side[0], base[1] + side[1])}L${numbers(base[0] - side[0], base[1] - side[1])}Z`;
  const [start] = points;
  if (isLoop) {
    const above = numbers(start[0], start[1] - LOOP_REACH, base[0], base[1] - LOOP_REACH, ...base);
    return { line: `M${numbers(...start)}C${above}`, head };
  }
  let line = `M${numbers(...start)}`;
  const route = [...points.slice(0, -1), base];
  for (let i = 1; i < route.length; i++) {
    const [a, b] = [route[i - 1], route[i]];
    const middle = (a[0] + b[0]) / 2;
    line += Math.abs(a[1] - b[1]) < 1e-6 ? `L${numbers(...b)}` : `C${numbers(middle, a[1], middle, b[1], ...b)}`;
  }
  return { line, head };
}

function nodeElement(node) {
  const { width, height } = node;
  const radius = Math.min(width, height) * (node.round ? 0.5 : 0.22);
  const box = { x: -width / 2, y: -height / 2, width, height, rx: radius };
  const g = svg("g", { class: "grafx-node", tabindex: -1, role: "button" });
  if (node.fold) g.append(svg("rect", { ...box, class: "grafx-behind", x: box.x + 3, y: box.y - 3 }));
  g.append(svg("rect", { ...box, class: "grafx-halo" }));
  g.append(svg("rect", { ...box, class: "grafx-box", fill: node.fill, stroke: node.outline }));
  if (node.wet !== null && node.wet < ALL_WET)
    g.append(
      svg("rect", { class: "grafx-dry", x: -width / 2 + 4, y: height / 2 - 4.5, width: width - 8, height: 2, rx: 1, fill: node.ink }),
      svg("rect", { class: "grafx-wet", x: -width / 2 + 4, y: height / 2 - 4.5, width: (width - 8) * node.wet, height: 2, rx: 1, fill: node.ink }),
    );
  if (node.short) g.append(svg("text", { class: "grafx-short", y: 3, fill: node.ink, text: node.short }));
  if (node.above) g.append(svg("text", { class: "grafx-above", y: -height / 2 - 4, text: node.above }));
  g.classList.toggle("is-fold", Boolean(node.fold));
  g.classList.toggle("is-bypassed", node.bypassed);
  return g;
}

/** Names of inlets and outlets that are not the main ones, each once. */
function portElements(edges) {
  const ports = new Map();
  for (const { from, to, source, dest, outlet, inlet, points } of edges) {
    if (source === dest) continue;
    const put = (key, name, [x, y], [next]) => {
      const side = Math.sign(next - x) || 1;
      if (name !== "main") ports.set(key, { name, x: x + 4 * side, y: y - 3, anchor: side > 0 ? "start" : "end" });
    };
    if (from === source) put(`${from} out ${outlet}`, outlet, points[0], points.find(([x]) => x !== points[0][0]) ?? points[0]);
    if (to === dest) put(`${to} in ${inlet}`, inlet, points.at(-1), points.findLast(([x]) => x !== points.at(-1)[0]) ?? points.at(-1));
  }
  return [...ports.values()].map(({ name, x, y, anchor }) => svg("text", { class: "grafx-port", x, y, "text-anchor": anchor, text: name }));
}

// --- Words --------------------------------------------------------------------------------------------------

function titleOf(node) {
  if (node.fold) return node.name ?? "chain";
  return node.name ? `${node.type} “${node.name}”` : node.type;
}

function subtitleOf(node) {
  if (node.fold) return `${node.members.length} nodes, folded`;
  return [`node ${node.id}`, node.group !== null && node.group !== node.name ? `on ${node.group}` : null].filter(Boolean).join(", ");
}

function cablesOf(node, edges, nodes) {
  const names = (list) => [...new Set(list)].map((id) => nodes.get(id)).filter(Boolean).map((n) => (n.fold ? titleOf(n) : `${titleOf(n)} ${n.id}`));
  const sources = names(edges.into.get(node.id) ?? []), dests = names(edges.outof.get(node.id) ?? []);
  return [sources.length && `from ${sources.join(", ")}`, dests.length && `to ${dests.join(", ")}`].filter(Boolean).join("; ");
}

function matches(node, text) {
  const wanted = text.trim().toLowerCase();
  if (!wanted) return false;
  const id = String(node.id).toLowerCase();
  if (id === wanted || `#${id}` === wanted) return true;
  return [node.type, node.short, node.name, node.group].some((word) => word !== null && String(word).toLowerCase().includes(wanted));
}

// --- Saving what is seen ------------------------------------------------------------------------------------

const STYLES = [
  "fill", "fill-opacity", "stroke", "stroke-width", "stroke-dasharray", "stroke-opacity", "opacity", "font-family", "font-size",
  "font-weight", "font-style", "text-anchor", "visibility", "display",
];

/** A document of its own, with the styles as they are on the screen. */
function standalone(scene, view, size, paper, title) {
  const [left, top, width, height] = [-view.x / view.k, -view.y / view.k, size.width / view.k, size.height / view.k];
  const document_ = svg("svg", {
    xmlns: SVG, viewBox: numbers(left, top, width, height), width: numbers(size.width), height: numbers(size.height),
  });
  document_.append(svg("title", { text: title }), svg("rect", { x: numbers(left), y: numbers(top), width: numbers(width), height: numbers(height), fill: paper }));
  const frame = scene.ownerSVGElement.getBoundingClientRect();
  const isSeen = (element) => {
    const box = element.getBoundingClientRect();
    return box.right >= frame.left && box.left <= frame.right && box.bottom >= frame.top && box.top <= frame.bottom;
  };
  const copied = (element) => {
    const style = getComputedStyle(element);
    if (style.display === "none") return null;
    const copy = document.createElementNS(SVG, element.localName);
    for (const { name, value } of element.attributes)
      if (!["class", "style", "role", "tabindex"].includes(name) && !name.startsWith("aria-")) copy.setAttribute(name, value);
    if (element.localName !== "g") for (const name of STYLES) copy.setAttribute(name, style.getPropertyValue(name));
    else if (style.opacity !== "1") copy.setAttribute("opacity", style.opacity);
    if (element.localName === "text") copy.textContent = element.textContent;
    else for (const child of element.children) copy.append(...[copied(child)].filter(Boolean));
    return copy;
  };
  for (const layer of scene.children) {
    const copy = svg("g", {});
    for (const child of layer.children) if (isSeen(child)) copy.append(...[copied(child)].filter(Boolean));
    document_.append(copy);
  }
  return new XMLSerializer().serializeToString(document_);
}

function download(text, type, name) {
  const address = URL.createObjectURL(new Blob([text], { type }));
  const link = html("a", { href: address, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(address), 1000);
}

// --- The viewer ---------------------------------------------------------------------------------------------

let count = 0;

function create(container, picture, { onSelect = () => {}, onEdge = null } = {}) {
  const name = `grafx-viewer-${++count}`;
  const layers = { edges: svg("g", { "aria-hidden": "true" }), ports: svg("g", { "aria-hidden": "true" }), nodes: svg("g") };
  const scene = svg("g", { class: "grafx-scene" }, layers.edges, layers.ports, layers.nodes);
  const canvas = svg("svg", { class: "grafx-canvas", role: "group" }, scene);
  const tip = html("div", { class: "grafx-tip", hidden: true, "aria-hidden": "true" });
  const hint = html("p", {
    class: "grafx-hidden", id: `${name}-keys`,
    text: "Tab goes into the drawing. On a node, arrow keys follow the cables, Enter selects, C folds its chain, G its group. "
      + "Plus and minus zoom, 0 shows all, Shift and arrow keys move the drawing, slash searches.",
  });
  const stage = html("div", { class: "grafx-stage", tabindex: 0, role: "group", "aria-describedby": hint.id }, canvas, tip);
  const said = html("output", { class: "grafx-found", "aria-live": "polite" });
  const search = html("input", {
    type: "search", placeholder: "Name, type or id", "aria-label": "Search nodes by name, type or id", spellcheck: "false",
    autocomplete: "off", oninput: () => find(search.value), onkeydown: searchKey,
  });
  const chains = toggle("Chains", "Fold every chain into one node", () => foldAll("chain"));
  const groups = toggle("Groups", "Fold every stem and subgroup into one node", () => foldAll("group"));
  const foldList = html("div", { class: "grafx-choices" });
  const foldMenu = html("details", { class: "grafx-menu" }, html("summary", { text: "Fold…", title: "Fold some groups" }), foldList);
  const bar = html(
    "div", { class: "grafx-bar", role: "toolbar", "aria-label": "Drawing" },
    html("span", { class: "grafx-search" }, search, said),
    html("span", { class: "grafx-buttons" }, chains, groups, foldMenu),
    html(
      "span", { class: "grafx-buttons" },
      button("−", "Zoom out", () => zoom(1 / 1.4)), button("+", "Zoom in", () => zoom(1.4)), button("Fit", "Show all", fit),
      button("SVG", "Save what is seen as SVG", () => download(svgText(), "image/svg+xml", `${document.title.replace(/[^\p{L}\p{N} _-]+/gu, "").trim() || "graph"}.svg`)),
    ),
  );
  const legend = html("ul", { class: "grafx-legend", "aria-label": "Types" });
  const list = html("ol", {});
  const textual = html("details", { class: "grafx-list", ontoggle: fillList }, html("summary", { text: "The graph as a list" }), list);
  const element = html("div", { class: "grafx-viewer" }, bar, hint, stage, legend, textual);

  const view = { x: 0, y: 0, k: 1, isOwn: false };
  const closed = new Set(), marks = new Map();
  let folds, arranged, known, links, shown = new Map(), lines = new Map();
  let selected = null, current = null, wanted = "", cameFrom = null;

  function button(text, label, action) {
    return html("button", { type: "button", text, title: label, "aria-label": label, onclick: action });
  }

  function toggle(text, label, action) {
    return html("button", { type: "button", text, title: label, "aria-pressed": "false", onclick: action });
  }

  // --- What is drawn

  function draw() {
    arranged = arrange(picture, folds, closed);
    known = new Map(arranged.nodes.map((node) => [node.id, node]));
    links = { into: new Map(), outof: new Map() };
    for (const { from, to } of arranged.edges) {
      for (const [map, at, other] of [[links.outof, from, to], [links.into, to, from]]) {
        if (!map.has(at)) map.set(at, []);
        map.get(at).push(other);
      }
    }
    drawNodes();
    drawEdges();
    if (!known.has(current)) current = arranged.nodes.toSorted((a, b) => a.x - b.x || a.y - b.y)[0]?.id ?? null;
    rove(current);
    paintMarks();
  }

  function drawNodes() {
    const fresh = new Map();
    for (const node of arranged.nodes) {
      const old = shown.get(node.id);
      const look = JSON.stringify({ ...node, x: 0, y: 0, members: null, fold: Boolean(node.fold) });
      const g = old?.look === look ? old.g : nodeElement(node);
      if (old && old.g !== g) {
        const hadFocus = old.g === document.activeElement;
        old.g.replaceWith(g);
        if (hadFocus) g.focus({ preventScroll: true });
      }
      g.setAttribute("transform", `translate(${numbers(node.x, node.y)})`);
      g.setAttribute("aria-label", [titleOf(node), subtitleOf(node), ...node.lines, cablesOf(node, links, known)].filter(Boolean).join(", "));
      if (node.fold) g.setAttribute("aria-expanded", "false");
      g.dataset.id = node.id;
      g.grafxId = node.id;
      fresh.set(node.id, { g, look });
      if (!old) layers.nodes.append(g);
    }
    for (const [id, { g }] of shown) if (!fresh.has(id)) g.remove();
    shown = fresh;
  }

  function drawEdges() {
    const fresh = new Map();
    for (const edge of arranged.edges) {
      const key = JSON.stringify([edge.source, edge.dest, edge.key]);
      const { line, head } = shapesOf(edge.points, edge.source === edge.dest);
      const g = lines.get(key) ?? edgeElement();
      g.classList.toggle("is-backward", edge.backward);
      for (const path of g.children) path.setAttribute("d", path.classList.contains("grafx-head") ? head : line);
      g.grafxEdge = edge;
      fresh.set(key, g);
      if (!lines.has(key)) layers.edges.append(g);
    }
    for (const [key, g] of lines) if (!fresh.has(key)) g.remove();
    lines = fresh;
    layers.ports.replaceChildren(...portElements(arranged.edges));
  }

  function edgeElement() {
    const g = svg("g", { class: "grafx-edge" });
    if (onEdge) g.append(svg("path", { class: "grafx-reach" }));
    g.append(svg("path", { class: "grafx-line" }), svg("path", { class: "grafx-head" }));
    return g;
  }

  function drawLegend() {
    legend.replaceChildren(...picture.legend.map(({ type, short, fill, ink, round }) => {
      const chip = html("span", { class: `grafx-chip${round ?? BUILT_IN.has(type) ? " is-round" : ""}`, text: short, "aria-hidden": "true" });
      chip.style.backgroundColor = fill;
      chip.style.color = ink;
      return html("li", {}, chip, html("bdi", { text: type }));
    }));
    if (arranged.edges.some((edge) => edge.backward)) legend.append(html("li", {}, html("span", { class: "grafx-dashes", "aria-hidden": "true" }), "closes a cycle"));
  }

  function drawFoldMenu() {
    const of = (kind) => [...folds.values()].filter((fold) => fold.kind === kind);
    chains.hidden = !of("chain").length;
    groups.hidden = !of("group").length;
    foldMenu.hidden = of("group").length < 2;
    foldList.replaceChildren(...of("group").map((fold) => {
      const box = html("input", { type: "checkbox", onchange: () => setFold(fold.key, box.checked) });
      box.checked = closed.has(fold.key);
      return html("label", {}, box, html("bdi", { text: fold.name }));
    }));
    for (const [kind, control] of [["chain", chains], ["group", groups]])
      control.setAttribute("aria-pressed", String(of(kind).length > 0 && of(kind).every((fold) => closed.has(fold.key))));
  }

  function fillList() {
    if (!textual.open) return;
    const all = { into: new Map(), outof: new Map() }, byId = new Map(picture.nodes.map((node) => [node.id, node]));
    for (const { source, dest } of picture.edges) {
      all.outof.set(source, [...(all.outof.get(source) ?? []), dest]);
      all.into.set(dest, [...(all.into.get(dest) ?? []), source]);
    }
    list.replaceChildren(...picture.nodes.map((node) => html(
      "li", {},
      html("button", { type: "button", text: `${titleOf(node)}, ${subtitleOf(node)}`, dir: "auto", onclick: () => { reveal(node.id); choose(node.id); } }),
      html("span", { text: [node.lines.join(", "), cablesOf(node, all, byId)].filter(Boolean).join("; "), dir: "auto" }),
    )));
  }

  // --- Folding

  function setFold(key, isClosed, near = null) {
    const anchor = near === null ? null : screenPlace(near);
    if (isClosed) closed.add(key);
    else closed.delete(key);
    draw();
    drawFoldMenu();
    hideTip();
    if (!view.isOwn) start();
    else if (anchor) keep(anchor, folds.get(key), near);
  }

  function foldAll(kind) {
    const all = [...folds.values()].filter((fold) => fold.kind === kind);
    const isClosed = all.every((fold) => closed.has(fold.key));
    for (const { key } of all) isClosed ? closed.delete(key) : closed.add(key);
    draw();
    drawFoldMenu();
    hideTip();
    start();
  }

  /** Fold what a node is in, or unfold what stands for others. */
  function turn(id, kinds) {
    const node = known.get(id);
    if (!node) return;
    const fold = node.fold ?? kinds.map((kind) => folds.get(kind === "chain" ? `chain ${node.chain}` : `group ${node.group}`)).find((f) => f?.members.has(id));
    if (!fold) return;
    const hadFocus = shown.get(id)?.g === document.activeElement;
    setFold(fold.key, !node.fold, id);
    const after = known.get(standsFor(node.fold ? node.members[0].id : id)) ?? arranged.nodes.find((n) => n.fold === fold);
    if (after && hadFocus) focusNode(after.id);
    else if (after) rove(after.id);
  }

  /** What is drawn for a node: itself, or what it is folded into. */
  function standsFor(id) {
    if (known.has(id)) return id;
    return arranged.nodes.find((node) => node.members?.some((member) => member.id === id))?.id ?? null;
  }

  function screenPlace(id) {
    const node = known.get(id);
    return node && { x: view.x + view.k * node.x, y: view.y + view.k * node.y };
  }

  function keep(anchor, fold, near) {
    const id = known.has(near) ? near : arranged.nodes.find((n) => n.fold === fold || fold.members.has(n.id))?.id;
    const now = id === undefined ? null : screenPlace(id);
    if (now) move(anchor.x - now.x, anchor.y - now.y);
  }

  function reveal(id) {
    for (let host = known.get(standsFor(id)); host?.fold; host = known.get(standsFor(id))) setFold(host.fold.key, false, host.id);
  }

  // --- Moving

  function size() {
    return { width: stage.clientWidth || 600, height: stage.clientHeight || 300 };
  }

  function place() {
    scene.setAttribute("transform", `translate(${numbers(view.x, view.y)}) scale(${Math.round(view.k * 1e4) / 1e4})`);
    canvas.classList.toggle("is-far", view.k < SCALES.far);
  }

  function move(dx, dy) {
    const { width, height } = size(), [w, h] = [arranged.width * view.k, arranged.height * view.k];
    const within = (at, room, length) => Math.min(Math.max(at, Math.min(40 - length, room - length)), Math.max(room - 40, 0));
    view.x = within(view.x + dx, width, w);
    view.y = within(view.y + dy, height, h);
    view.isOwn = true;
    hideTip();
    place();
  }

  function zoom(factor, at = null) {
    const { width, height } = size();
    const { x, y } = at ?? { x: width / 2, y: height / 2 };
    const k = Math.min(Math.max(view.k * factor, SCALES.least), SCALES.most);
    view.x = x - ((x - view.x) * k) / view.k;
    view.y = y - ((y - view.y) * k) / view.k;
    view.k = k;
    move(0, 0);
  }

  function centre(k) {
    const { width, height } = size();
    const along = (room, length) => (length * k + 2 * MARGIN <= room ? (room - length * k) / 2 : MARGIN);
    Object.assign(view, { k, x: along(width, arranged.width), y: (height - arranged.height * k) / 2, isOwn: false });
    place();
  }

  function whole() {
    const { width, height } = size();
    const room = [Math.max(width - 2 * MARGIN, 40) / Math.max(arranged.width, 1), Math.max(height - 2 * MARGIN, 40) / Math.max(arranged.height, 1)];
    return Math.max(Math.min(...room, SCALES.fit), SCALES.least);
  }

  function fit() {
    hideTip();
    centre(whole());
  }

  /** Show all where it can be read, else where signals begin. */
  function start() {
    setHeight();
    hideTip();
    centre(whole() >= SCALES.readable ? whole() : SCALES.start);
  }

  function setHeight() {
    const across = Math.min((stage.clientWidth - 2 * MARGIN) / Math.max(arranged.width, 1), SCALES.fit);
    const k = across >= SCALES.readable ? across : SCALES.start;
    stage.style.setProperty("--grafx-height", `${Math.ceil(arranged.height * k + 2 * MARGIN + 8)}px`);
  }

  function show(id) {
    const at = screenPlace(id), { width, height } = size();
    if (!at) return;
    const edge = Math.min(60, width / 4, height / 4);
    const dx = at.x < edge ? edge - at.x : at.x > width - edge ? width - edge - at.x : 0;
    const dy = at.y < edge ? edge - at.y : at.y > height - edge ? height - edge - at.y : 0;
    if (dx || dy) move(dx, dy);
  }

  // --- Nodes that are met

  function rove(id) {
    const before = shown.get(current)?.g, after = shown.get(id)?.g;
    before?.setAttribute("tabindex", -1);
    after?.setAttribute("tabindex", 0);
    current = id;
  }

  function focusNode(id) {
    if (!shown.has(id)) return;
    rove(id);
    show(id);
    shown.get(id).g.focus({ preventScroll: true });
    showTip(id);
  }

  function neighbour(id, key) {
    const node = known.get(id), others = arranged.nodes.filter((n) => n.id !== id);
    const ends = key === "ArrowRight" ? links.outof : links.into;
    if (key === "ArrowRight" || key === "ArrowLeft") {
      const sign = key === "ArrowRight" ? 1 : -1;
      const ahead = (ends.get(id) ?? []).filter((other) => other !== id).map((other) => known.get(other));
      if (ahead.length) {
        const back = ahead.find((n) => n.id === cameFrom);
        return back ?? ahead.toSorted((a, b) => Math.abs(a.y - node.y) - Math.abs(b.y - node.y))[0];
      }
      return nearest(others.filter((n) => sign * (n.x - node.x) > 1), (n) => Math.abs(n.x - node.x) + 3 * Math.abs(n.y - node.y));
    }
    const sign = key === "ArrowDown" ? 1 : -1;
    return nearest(others.filter((n) => sign * (n.y - node.y) > 1), (n) => Math.abs(n.y - node.y) + 3 * Math.abs(n.x - node.x));
  }

  function nearest(nodes, distance) {
    return nodes.reduce((best, node) => (best === null || distance(node) < distance(best) ? node : best), null);
  }

  function choose(id) {
    select(id);
    onSelect(id);
  }

  function select(id) {
    selected = id;
    paintMarks();
    if (id !== null && standsFor(id) !== null) {
      rove(standsFor(id));
      show(standsFor(id));
    }
  }

  function paintMarks() {
    const found = wanted.trim() ? new Set(picture.nodes.filter((node) => matches(node, wanted)).map((node) => node.id)) : null;
    canvas.classList.toggle("is-searched", found !== null);
    for (const [id, { g }] of shown) {
      const ids = known.get(id).members?.map((member) => member.id) ?? [id];
      const flags = (flag) => ids.some((one) => marks.get(one)?.[flag]);
      for (const flag of ["removed", "dimmed"]) g.classList.toggle(`is-${flag}`, ids.every((one) => marks.get(one)?.[flag]));
      for (const flag of ["playing", "changed"]) g.classList.toggle(`is-${flag}`, flags(flag));
      g.classList.toggle("is-found", found !== null && ids.some((one) => found.has(one)));
      g.classList.toggle("is-selected", ids.includes(selected));
      g.setAttribute("aria-pressed", String(ids.includes(selected)));
    }
    for (const g of lines.values()) {
      const { source, dest, from, to } = g.grafxEdge;
      const either = (flag) => Boolean(marks.get(source)?.[flag] || marks.get(dest)?.[flag]);
      g.classList.toggle("is-removed", either("removed"));
      g.classList.toggle("is-dimmed", either("dimmed"));
      g.classList.toggle("is-near", selected !== null && [from, to].includes(standsFor(selected)));
    }
  }

  function mark(id, flags) {
    marks.set(id, { ...marks.get(id), ...flags });
    paintMarksSoon();
  }

  function clearMarks() {
    marks.clear();
    paintMarksSoon();
  }

  let isPainting = false;
  function paintMarksSoon() {
    if (isPainting) return;
    isPainting = true;
    queueMicrotask(() => {
      isPainting = false;
      paintMarks();
    });
  }

  // --- Search

  function find(text) {
    wanted = String(text ?? "");
    if (search.value !== wanted) search.value = wanted;
    paintMarks();
    const found = picture.nodes.filter((node) => matches(node, wanted));
    said.textContent = wanted.trim() ? `${found.length} found` : "";
    if (found.length && !found.some((node) => isInView(standsFor(node.id)))) show(standsFor(found[0].id));
    return found.map((node) => node.id);
  }

  function isInView(id) {
    const at = screenPlace(id), { width, height } = size();
    return at && at.x > 0 && at.x < width && at.y > 0 && at.y < height;
  }

  function searchKey(event) {
    event.stopPropagation();
    if (event.key === "Escape") find("");
    if (event.key !== "Enter") return;
    const found = picture.nodes.filter((node) => matches(node, search.value)).sort((a, b) => a.x - b.x || a.y - b.y);
    if (!found.length) return;
    event.preventDefault();
    const at = found.findIndex((node) => standsFor(node.id) === current);
    const next = found[(at + (event.shiftKey ? found.length - 1 : 1)) % found.length] ?? found[0];
    reveal(next.id);
    rove(next.id);
    show(next.id);
    showTip(next.id);
    said.textContent = `${found.indexOf(next) + 1} of ${found.length}`;
  }

  // --- Tooltip

  function showTip(id) {
    const node = known.get(id), g = shown.get(id)?.g;
    if (!node || !g) return;
    tip.replaceChildren(
      html("strong", { text: titleOf(node), dir: "auto" }), html("span", { class: "grafx-faint", text: subtitleOf(node), dir: "auto" }),
      ...node.lines.map((line) => html("span", { text: line, dir: "auto" })),
    );
    if (node.fold) tip.append(html("span", { class: "grafx-faint", text: "Enter or double-click unfolds" }));
    tip.hidden = false;
    const { width, height } = size(), at = screenPlace(id), below = at.y + (view.k * node.height) / 2 + 8;
    const above = at.y - (view.k * node.height) / 2 - 22 - tip.offsetHeight;
    tip.style.left = `${Math.min(Math.max(at.x - tip.offsetWidth / 2, 4), Math.max(width - tip.offsetWidth - 4, 4))}px`;
    tip.style.top = `${below + tip.offsetHeight > height && above > 0 ? above : below}px`;
  }

  function hideTip() {
    tip.hidden = true;
  }

  // --- Keys and pointers

  function nodeOf(target) {
    const g = target instanceof Element ? target.closest(".grafx-node") : null;
    return g && layers.nodes.contains(g) ? g.grafxId : null;
  }

  function key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const id = nodeOf(event.target), isArrow = event.key.startsWith("Arrow");
    const acts = {
      "+": () => zoom(1.25), "=": () => zoom(1.25), "-": () => zoom(0.8), "−": () => zoom(0.8), _: () => zoom(0.8), 0: fit,
      "/": () => search.focus(), Escape: () => { hideTip(); if (selected !== null) choose(null); },
    };
    if (id !== null) {
      const enter = () => (known.get(id).fold ? turn(id, []) : choose(id));
      Object.assign(acts, { Enter: enter, " ": enter, c: () => turn(id, ["chain"]), g: () => turn(id, ["group"]) });
      const ends = arranged.nodes.toSorted((a, b) => a.x - b.x || a.y - b.y);
      Object.assign(acts, { Home: () => focusNode(ends[0].id), End: () => focusNode(ends.at(-1).id) });
    }
    if (isArrow && (id === null || event.shiftKey)) {
      const [dx, dy] = { ArrowLeft: [STEP, 0], ArrowRight: [-STEP, 0], ArrowUp: [0, STEP], ArrowDown: [0, -STEP] }[event.key];
      acts[event.key] = () => move(dx, dy);
    } else if (isArrow) {
      acts[event.key] = () => {
        const next = neighbour(id, event.key);
        if (next) {
          cameFrom = id;
          focusNode(next.id);
        }
      };
    }
    const act = acts[event.key] ?? acts[event.key.toLowerCase()];
    if (!act) return;
    event.preventDefault();
    act();
  }

  const pointers = new Map();
  let dragged = false;

  function at(event) {
    const box = stage.getBoundingClientRect();
    return { x: event.clientX - box.left - stage.clientLeft, y: event.clientY - box.top - stage.clientTop };
  }

  function press(event) {
    if (event.button !== 0) return;
    if (!pointers.size) dragged = false;
    pointers.set(event.pointerId, { ...at(event), from: at(event) });
  }

  function drag(event) {
    const before = pointers.get(event.pointerId);
    if (!before) return;
    const now = at(event);
    if (!dragged && Math.hypot(now.x - before.from.x, now.y - before.from.y) < DRAG) return;
    if (!dragged) {
      dragged = true;
      stage.classList.add("is-dragged");
    }
    if (!stage.hasPointerCapture(event.pointerId)) stage.setPointerCapture(event.pointerId);
    const other = [...pointers].find(([id]) => id !== event.pointerId)?.[1];
    if (other) {
      const distance = (p) => Math.max(Math.hypot(p.x - other.x, p.y - other.y), 1);
      zoom(distance(now) / distance(before), { x: (now.x + other.x) / 2, y: (now.y + other.y) / 2 });
      move((now.x - before.x) / 2, (now.y - before.y) / 2);
    } else move(now.x - before.x, now.y - before.y);
    Object.assign(before, now);
  }

  function release(event) {
    pointers.delete(event.pointerId);
    if (!pointers.size) stage.classList.remove("is-dragged");
  }

  function wheel(event) {
    event.preventDefault();
    const pixels = [1, 16, 200][event.deltaMode];
    if (!event.ctrlKey && Math.abs(event.deltaX) > Math.abs(event.deltaY)) return move(-event.deltaX * pixels, 0);
    zoom(Math.exp(-Math.min(Math.max(event.deltaY * pixels, -240), 240) * (event.ctrlKey ? 0.01 : 0.0016)), at(event));
  }

  function click(event) {
    if (dragged) return;
    const id = nodeOf(event.target), edge = event.target.closest?.(".grafx-edge")?.grafxEdge;
    if (id !== null) {
      rove(id);
      if (known.get(id).fold) turn(id, []);
      else choose(id);
    } else if (edge && onEdge) onEdge(edge);
    else if (selected !== null) choose(null);
  }

  function doubleClick(event) {
    const id = nodeOf(event.target);
    if (id === null) zoom(1.6, at(event));
    else if (!known.get(id).fold) turn(id, event.shiftKey ? ["group"] : ["chain", "group"]);
  }

  stage.addEventListener("keydown", key);
  stage.addEventListener("pointerdown", press);
  stage.addEventListener("pointermove", drag);
  for (const event of ["pointerup", "pointercancel"]) stage.addEventListener(event, release);
  stage.addEventListener("lostpointercapture", (event) => event.target === stage && release(event)); // fingers are first held by what they touch
  stage.addEventListener("wheel", wheel, { passive: false });
  stage.addEventListener("click", click);
  stage.addEventListener("dblclick", doubleClick);
  stage.addEventListener("pointerover", (event) => nodeOf(event.target) !== null && !pointers.size && showTip(nodeOf(event.target)));
  stage.addEventListener("pointerout", (event) => nodeOf(event.target) !== null && hideTip());
  stage.addEventListener("focusin", (event) => {
    const id = nodeOf(event.target);
    if (id === null || !event.target.matches(":focus-visible")) return;
    rove(id);
    show(id);
    showTip(id);
  });
  stage.addEventListener("focusout", hideTip);
  foldMenu.addEventListener("keydown", (event) => {
    if (event.key === "Escape") foldMenu.open = false;
  });
  document.addEventListener("pointerdown", (event) => foldMenu.contains(event.target) || (foldMenu.open = false));

  // Paper shows all of it.
  const paper = matchMedia("print");
  const printed = () => {
    canvas.classList.toggle("is-printed", paper.matches);
    if (paper.matches) {
      canvas.setAttribute("viewBox", numbers(0, 0, arranged.width, arranged.height));
      scene.setAttribute("transform", "");
    } else {
      canvas.removeAttribute("viewBox");
      place();
    }
  };
  paper.addEventListener("change", printed);

  let width = 0;
  new ResizeObserver(() => {
    if (stage.clientWidth === width && view.isOwn) return;
    width = stage.clientWidth;
    if (!view.isOwn) start();
  }).observe(stage);

  // --- From outside

  function svgText() {
    return standalone(scene, view, size(), getComputedStyle(element).getPropertyValue("--paper").trim() || "#fff", document.title);
  }

  function update(next) {
    picture = next;
    folds = foldsOf(picture);
    stage.setAttribute("aria-label", `Graph of ${picture.nodes.length} nodes and ${picture.edges.length} edges`);
    draw();
    drawFoldMenu();
    drawLegend();
    fillList();
    if (wanted) find(wanted);
    if (!view.isOwn) start();
    if (selected !== null && standsFor(selected) === null) choose(null);
  }

  container.append(element);
  update(picture);
  requestAnimationFrame(() => canvas.classList.add("is-settled"));
  return { select, update, mark, clearMarks, fit, find, svg: svgText, element };
}

grafx.viewer = { create };
})();
