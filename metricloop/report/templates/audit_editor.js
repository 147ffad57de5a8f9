// --- The whole picture of a finding, and the repair of its boxes by mouse, finger or keys ----------------------------

const SIDES = ["n", "e", "s", "w", "nw", "ne", "se", "sw"];
const NEAREST = 160; // px of the picture that a close-up shows at least
const TILE = 320; // px of a picture up to which a cut is embedded as it is; a larger one is made smaller than the whole
const LEAST = 2; // px of the picture; a smaller box is a slip of the hand
let editing = null; // { finding, view, close, picked, drawing }

const stage = document.createElementNS(SVG, "svg");
stage.setAttribute("class", "stage");
stage.setAttribute("tabindex", "0");
stage.setAttribute("role", "application");
stage.setAttribute("aria-label", "Picture with its boxes");
const panel = element("aside", {});
const editor = element("dialog", { class: "editor", "aria-label": "Finding" }, stage, panel);
if (cards.length) document.body.append(editor);

function tool(text, key, title, act, kind = "") {
  const made = element("button", { type: "button", class: `tool ${kind}`, title: key ? `${title} (${key})` : title }, text);
  if (key) made.append(element("kbd", {}, key));
  made.addEventListener("click", () => { act(); stage.focus({ preventScroll: true }); });
  return made;
}

function openEditor(finding) {
  editing = { finding, close: false, view: null, picked: finding.box || marks.get(finding.id)?.to ? 0 : -1, drawing: false };
  look(true);
  if (!editor.open) editor.showModal();
  paint();
  stage.focus({ preventScroll: true });
}

// A close-up: what is around the finding, never beyond the picture, and a tiny object not as a smear.
function closeUp({ image, window: [x1, y1, x2, y2] }) {
  const { width, height } = audit.images[image], side = Math.max(1.3 * (x2 - x1), 1.3 * (y2 - y1), NEAREST);
  const span = (first, last, limit) => {
    const length = Math.min(side, limit);
    return [Math.min(Math.max((first + last - length) / 2, 0), limit - length), length];
  };
  const [[left, across], [top, down]] = [span(x1, x2, width), span(y1, y2, height)];
  return [left, top, across, down];
}

// Whether a close-up is less than the whole picture.
function isPart(finding) {
  const [, , across, down] = closeUp(finding), { width, height } = audit.images[finding.image];
  return across < width || down < height;
}

function look(close) {
  const { finding } = editing, { width, height } = audit.images[finding.image];
  editing.close = close && isPart(finding);
  editing.view = editing.close ? closeUp(finding) : [0, 0, width, height];
}

// The boxes that can be changed: the label in question or what replaces it, then those that were drawn.
function shapes() {
  const { finding } = editing, mark = marks.get(finding.id);
  const first = mark?.to ?? (finding.box && mark?.mark !== "delete" ? { box: finding.box, label: finding.label } : null);
  return [...(first ? [{ ...first, place: -1 }] : []), ...(mark?.added ?? []).map((one, place) => ({ ...one, place }))];
}

function change(shape, box, label) {
  const { finding } = editing, mark = marks.get(finding.id);
  const next = { box: inside(box, finding), label };
  if (shape.place < 0) return repair(finding, next);
  const added = [...mark.added];
  added[shape.place] = next;
  repair(finding, mark.to, added);
}

function addBox(box) {
  const { finding } = editing, mark = marks.get(finding.id);
  const label = panel.querySelector("select")?.value ?? audit.classes[0];
  const made = { box: inside(box, finding), label };
  if (finding.kind === "missing" && !mark?.to) repair(finding, made);
  else repair(finding, mark?.to ?? null, [...(mark?.added ?? []), made]);
  editing.picked = shapes().length - 1;
}

function removeBox() {
  const { finding } = editing, mark = marks.get(finding.id), shape = shapes()[editing.picked];
  if (!shape) return;
  if (shape.place >= 0) repair(finding, mark.to, mark.added.filter((one, place) => place !== shape.place));
  else if (finding.box) decide(finding, "delete");
  else repair(finding, null, mark.added);
  editing.picked = Math.min(editing.picked, shapes().length - 1);
}

// --- Drawing ---------------------------------------------------------------------------------------------------------

function made(tag, attributes) {
  const node = document.createElementNS(SVG, tag);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  return node;
}

function picture(href, [x1, y1, x2, y2]) {
  return made("image", { x: x1, y: y1, width: x2 - x1, height: y2 - y1, preserveAspectRatio: "none", href });
}

function paint(preview = null) {
  if (!editing) return;
  const { finding, view } = editing, image = audit.images[finding.image], mark = marks.get(finding.id);
  stage.setAttribute("viewBox", view.join(" "));
  const unit = Math.max(view[2] / (stage.clientWidth || 1), view[3] / (stage.clientHeight || 1)); // of the picture per px on the screen
  const close = list.querySelector(`[data-id="${CSS.escape(finding.id)}"] image`)?.getAttribute("href");
  const sharp = Math.max(finding.cut[2] - finding.cut[0], finding.cut[3] - finding.cut[1]) <= TILE || !image.uri;
  const layers = [...(image.uri ? [picture(image.uri, [0, 0, image.width, image.height])] : []), ...(close && sharp ? [picture(close, finding.cut)] : [])];
  for (const one of image.boxes) if (one.id !== finding.box_id) layers.push(...shape("other", one.box));
  for (const box of finding.copy) layers.push(...shape("copy", box));
  if (finding.box) layers.push(...shape("label", finding.box));
  if (finding.model) layers.push(...shape("model", finding.model.box));
  const drawn = shapes();
  drawn.forEach((one, at) => {
    const box = preview && at === editing.picked ? preview : one.box;
    const group = made("g", { class: at === editing.picked ? "picked" : "" });
    const untouched = one.place < 0 && !mark?.to && !preview;
    if (!untouched) group.append(...shape("repair", box));
    group.append(...handles(box, at, unit));
    layers.push(group);
  });
  if (preview && editing.picked < 0) layers.push(...shape("repair", preview));
  stage.replaceChildren(made("g", { class: mark?.mark === "delete" ? "deleted" : "" }));
  stage.firstChild.append(...layers);
  stage.classList.toggle("drawing", editing.drawing);
  if (!preview) describe();
}

function handles([x1, y1, x2, y2], at, unit) {
  const middle = { n: [(x1 + x2) / 2, y1], e: [x2, (y1 + y2) / 2], s: [(x1 + x2) / 2, y2], w: [x1, (y1 + y2) / 2] };
  const corner = { nw: [x1, y1], ne: [x2, y1], se: [x2, y2], sw: [x1, y2] };
  const lines = { n: [x1, y1, x2, y1], e: [x2, y1, x2, y2], s: [x1, y2, x2, y2], w: [x1, y1, x1, y2] };
  const grips = Object.entries(lines).map(([side, [a, b, c, d]]) => made("line", { class: `grip ${side}`, x1: a, y1: b, x2: c, y2: d, "data-side": side, "data-at": at }));
  if (at !== editing.picked) return grips;
  const size = 9 * unit, { width, height } = audit.images[editing.finding.image];
  const inside = (place, whole) => Math.min(Math.max(place - size / 2, 0), Math.max(whole - size, 0)); // at the edge of the picture, too
  const squares = SIDES.map((side) => {
    const [x, y] = corner[side] ?? middle[side];
    return made("rect", { class: `handle ${side}`, x: inside(x, width), y: inside(y, height), width: size, height: size, "data-side": side, "data-at": at });
  });
  return [...grips, ...squares];
}

function describe() {
  const { finding, picked } = editing, mark = marks.get(finding.id), drawn = shapes()[picked];
  const card = cards.find((one) => one.dataset.id === finding.id);
  const says = card.querySelector(".says").cloneNode(true);
  says.querySelector(".verdict-mark").remove();
  for (const link of says.querySelectorAll("a")) link.removeAttribute("tabindex");
  const said = element("p", { class: `decided verdict-mark ${mark?.mark ?? ""}`, role: "status" }, toldOf(finding, mark) || "no mark yet");
  const near = tool(editing.close ? "Whole picture" : "Close-up", "w", isPart(finding) ? "Whole picture or close-up" : "The finding is the whole picture", () => { look(!editing.close); paint(); });
  near.disabled = !isPart(finding);
  const top = element("div", { class: "row top" },
    tool("←", "", "Previous finding", () => go(-1)), tool("→", "", "Next finding", () => go(1)),
    near,
    tool("Close", "", "Close (Esc)", () => editor.close()));
  const words4 = element("div", { class: "row words4" }, ...[["keep", "Keep", "k"], ["delete", "Delete", "d"], ["unsure", "Not sure", "u"]].filter(([word]) => finding.offers.includes(word)).map(([word, text, key]) => {
    const button = tool(text, key, text, () => choice(word), word);
    button.setAttribute("aria-pressed", mark?.mark === word);
    return button;
  }));
  words4.append(tool("Undo", "z", "Undo", takeBackHere));
  const model = element("div", { class: "row" });
  if (finding.model) {
    model.append(tool("As the model says", "m", "Take what the model sees", () => { act(finding, "model"); editing.picked = shapes().length ? 0 : -1; paint(); }));
    if (finding.box) {
      const now = drawn && drawn.place < 0 ? drawn : { box: finding.box, label: finding.label };
      model.append(tool("its box", "", "Take the model's box only", () => { repair(finding, { box: inside(finding.model.box, finding), label: now.label }); paint(); }));
      if (finding.model.label !== finding.label) model.append(tool("its class", "", "Take the model's class only", () => { repair(finding, { box: now.box, label: finding.model.label }); paint(); }));
    }
  }
  const draw = tool(editing.drawing ? "Drawing…" : "Draw a box", "n", "Draw a box that is missing", () => { editing.drawing = !editing.drawing; paint(); });
  draw.setAttribute("aria-pressed", editing.drawing);
  const boxes = element("div", { class: "row fix" }, draw);
  if (drawn && (drawn.place >= 0 || !finding.box)) boxes.append(tool("Remove it", "x", "Remove the box that was drawn", () => { removeBox(); paint(); }));
  if (mark?.to || mark?.added.length) boxes.append(tool("Start over", "r", "Forget the repair", () => { setMark(finding, null); editing.picked = finding.box ? 0 : -1; paint(); }));
  const names = element("select", { "aria-label": "Class of the box" }, ...audit.classes.map((name) => element("option", {}, name)));
  names.value = drawn?.label ?? panel.querySelector("select")?.value ?? finding.model?.label ?? audit.classes[0];
  names.addEventListener("change", () => { if (drawn) change(drawn, drawn.box, names.value); paint(); stage.focus({ preventScroll: true }); });
  const named = element("div", { class: "row" }, element("span", {}, drawn && drawn.place < 0 && finding.box ? "Class of the label" : "Class of the box"), names);
  const repairable = finding.offers.includes("fix");
  const takes = finding.model ? [element("kbd", {}, "m"), " takes the model's box, "] : [];
  const start = drawn || finding.box
    ? ["Drag the sides or corners of the box; drag elsewhere to move the picture; the wheel makes it larger. "]
    : ["Drag to move the picture; the wheel makes it larger. ", ...(repairable ? [...takes, element("kbd", {}, "n"), ` draws ${finding.model ? "one" : "a box"}; it then has handles at its sides and corners. `] : [])];
  const arrows = [element("kbd", {}, "Shift"), " + arrows move the box by a pixel, ", element("kbd", {}, "Alt"), " + arrows its lower right corner."];
  const hint = element("p", { class: "quiet keys" }, ...start, ...(repairable ? arrows : []));
  const twin = card.querySelector(".twin")?.cloneNode(true);
  twin?.removeAttribute("tabindex");
  panel.replaceChildren(top, ...(twin ? [twin] : []), says, said, words4, ...(repairable ? [model, boxes, named] : []), hint);
}

// --- Acting ----------------------------------------------------------------------------------------------------------

function go(by) {
  const card = cards.find((one) => one.dataset.id === editing.finding.id), next = step(card, by);
  choose(next);
  openEditor(findingOf(next));
}

function choice(word) {
  const { finding } = editing;
  if (act(finding, word)) go(1);
  else paint();
}

// Undo, and show what was taken back: it may be the mark of another finding.
function takeBackHere() {
  const finding = undo();
  if (!finding || finding === editing.finding) return paint();
  choose(cards.find((card) => card.dataset.id === finding.id));
  openEditor(finding);
}

// Where the pointer is, in pixels of the picture.
function at(event) {
  const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(stage.getScreenCTM().inverse());
  return [point.x, point.y];
}

function zoom(factor, [x, y]) {
  const image = audit.images[editing.finding.image], [left, top, width, height] = editing.view;
  const most = 1.6 * Math.max(image.width, image.height), next = Math.min(Math.max(width * factor, 8), most), ratio = next / width;
  editing.view = [x - (x - left) * ratio, y - (y - top) * ratio, next, height * ratio];
  paint();
}

const pointers = new Map();
let drag = null; // { side, box, start, view } while a pointer is down

stage.addEventListener("pointerdown", (event) => {
  if (event.button) return;
  stage.setPointerCapture(event.pointerId);
  pointers.set(event.pointerId, [event.clientX, event.clientY]);
  const side = event.target.dataset?.side, start = at(event);
  if (pointers.size > 1) drag = null;
  else if (editing.drawing) { editing.picked = -1; drag = { side: "new", box: [...start, ...start], start }; }
  else if (side) { editing.picked = Number(event.target.dataset.at); drag = { side, box: shapes()[editing.picked].box, start }; }
  else drag = { side: "", view: [...editing.view], start: [event.clientX, event.clientY] };
});

stage.addEventListener("pointermove", (event) => {
  const before = pointers.get(event.pointerId);
  if (!before) return;
  if (pointers.size === 2) {
    const [other] = [...pointers].filter(([id]) => id !== event.pointerId).map(([, place]) => place);
    const apart = (place) => Math.hypot(place[0] - other[0], place[1] - other[1]) || 1;
    const now = [event.clientX, event.clientY];
    pointers.set(event.pointerId, now);
    return zoom(apart(before) / apart(now), at({ clientX: (now[0] + other[0]) / 2, clientY: (now[1] + other[1]) / 2 }));
  }
  if (!drag) return;
  if (drag.side === "") {
    const unit = 1 / stage.getScreenCTM().a;
    editing.view = [drag.view[0] - (event.clientX - drag.start[0]) * unit, drag.view[1] - (event.clientY - drag.start[1]) * unit, drag.view[2], drag.view[3]];
    stage.setAttribute("viewBox", editing.view.join(" "));
    return;
  }
  const [x, y] = at(event), box = [...drag.box];
  const moves = (side) => drag.side !== "new" && drag.side.includes(side);
  if (drag.side === "new") [box[2], box[3]] = [x, y];
  if (moves("w")) box[0] += x - drag.start[0];
  if (moves("e")) box[2] += x - drag.start[0];
  if (moves("n")) box[1] += y - drag.start[1];
  if (moves("s")) box[3] += y - drag.start[1];
  drag.now = inside(box, editing.finding);
  paint(drag.now);
});

function release(event) {
  pointers.delete(event.pointerId);
  const done = drag;
  drag = null;
  if (!done || !editing) return;
  const large = done.now && done.now[2] - done.now[0] >= LEAST && done.now[3] - done.now[1] >= LEAST;
  if (done.side === "new") { editing.drawing = false; if (large) addBox(done.now); }
  else if (done.side && large) change(shapes()[editing.picked], done.now, shapes()[editing.picked].label);
  paint();
}
stage.addEventListener("pointerup", release);
stage.addEventListener("pointercancel", (event) => { drag = null; release(event); });
stage.addEventListener("wheel", (event) => { event.preventDefault(); zoom(event.deltaY > 0 ? 1.15 : 1 / 1.15, at(event)); }, { passive: false });

function nudge(key, resize) {
  const shape = shapes()[editing.picked];
  if (!shape) return;
  const [dx, dy] = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[key];
  const box = shape.box.map((side, place) => (resize && place < 2 ? side : side + (place % 2 ? dy : dx)));
  if (box[2] - box[0] >= LEAST && box[3] - box[1] >= LEAST) change(shape, box, shape.label);
}

editor.addEventListener("keydown", (event) => {
  if (event.target.closest("select")) return;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const arrow = key.startsWith("Arrow");
  const acts = {
    k: () => choice("keep"), d: () => choice("delete"), u: () => choice("unsure"),
    m: () => { act(editing.finding, "model"); editing.picked = shapes().length ? 0 : -1; paint(); },
    n: () => { if (!editing.finding.offers.includes("fix")) return; editing.drawing = !editing.drawing; paint(); }, f: () => {}, z: takeBackHere, s: save,
    x: () => { removeBox(); paint(); }, Delete: () => { removeBox(); paint(); }, Backspace: () => { removeBox(); paint(); },
    r: () => { setMark(editing.finding, null); editing.picked = editing.finding.box ? 0 : -1; paint(); },
    w: () => { look(!editing.close); paint(); },
    "+": () => zoom(1 / 1.3, middle()), "=": () => zoom(1 / 1.3, middle()), "-": () => zoom(1.3, middle()),
    ArrowLeft: () => go(-1), ArrowRight: () => go(1), ArrowUp: () => go(-1), ArrowDown: () => go(1),
  };
  if (arrow && (event.shiftKey || event.altKey)) { event.preventDefault(); nudge(key, event.altKey); return paint(); }
  if ((event.ctrlKey || event.metaKey) && key !== "z") return;
  if (event.altKey || !(key in acts)) return;
  event.preventDefault();
  event.stopPropagation();
  acts[key]();
});

function middle() {
  const [x, y, width, height] = editing.view;
  return [x + width / 2, y + height / 2];
}

editor.addEventListener("close", () => {
  const finding = editing?.finding;
  editing = null;
  pointers.clear();
  drag = null;
  const card = finding && cards.find((one) => one.dataset.id === finding.id);
  if (card) choose(card.hidden ? visible()[0] ?? null : card, true);
});
addEventListener("resize", () => paint());
