// --- The list of findings: filters, order, keys and progress ---------------------------------------------------------

const SVG = "http://www.w3.org/2000/svg";
const list = document.getElementById("list");
const cards = list ? [...list.children] : [];
const control = (name) => document.getElementById(name);
const findingOf = (card) => findings.get(card.dataset.id);
let current = null; // the card that the keys act on

function shape(kind, box) {
  return ["halo", "box"].map((name) => {
    const made = document.createElementNS(SVG, "rect");
    const [x, y, x2, y2] = box;
    for (const [key, value] of Object.entries({ class: `${name} ${kind}`, x, y, width: x2 - x, height: y2 - y })) made.setAttribute(key, value);
    return made;
  });
}

function repairsOf(mark) {
  return mark ? [...(mark.to ? [mark.to] : []), ...mark.added] : [];
}

function toldOf(finding, mark) {
  if (!mark) return "";
  const parts = [];
  if (mark.to && finding.box) {
    const moved = mark.to.box.some((side, at) => Math.abs(side - finding.box[at]) >= 0.05);
    if (moved) parts.push("new box");
    if (mark.to.label !== finding.label) parts.push(`class ${mark.to.label}`);
  } else if (mark.to) parts.push(`adds ${mark.to.label}`);
  if (mark.added.length) parts.push(`adds ${mark.added.length} box${mark.added.length > 1 ? "es" : ""}`);
  return WORDS[mark.mark] + (parts.length ? `: ${parts.join(", ")}` : "");
}

function refresh(card) {
  const finding = findingOf(card), mark = marks.get(finding.id);
  card.classList.remove(...Object.keys(WORDS), "deleted");
  if (mark) card.classList.add(mark.mark);
  card.classList.toggle("deleted", mark?.mark === "delete");
  const told = card.querySelector(".verdict-mark");
  told.className = `verdict-mark ${mark?.mark ?? ""}`;
  const other = differing.get(finding.id);
  told.replaceChildren(toldOf(finding, mark));
  card.querySelector(".theirs")?.remove();
  if (other) told.after(theirs(finding, other));
  for (const button of card.querySelectorAll(".acts button")) button.setAttribute("aria-pressed", button.classList[0] === mark?.mark);
  const drawn = [...repairsOf(mark).map((one) => ["repair", one]), ...repairsOf(other).map((one) => ["repair loaded", one])];
  card.querySelector(".repairs")?.replaceChildren(...drawn.flatMap(([kind, one]) => shape(kind, one.box)));
}

// What a loaded file says of a finding that has another mark here, and a button that decides so.
function theirs(finding, other) {
  const button = element("button", { type: "button", class: "tool", tabindex: "-1", title: "Decide as the loaded file says (l)" }, "Take this");
  button.addEventListener("click", () => act(finding, "loaded"));
  return element("p", { class: "theirs" }, `the loaded file: ${toldOf(finding, other)} `, button);
}

function progress() {
  const found = Object.keys(WORDS).map((word) => [word, [...marks.values()].filter((one) => one.mark === word).length]);
  control("progress").value = marks.size;
  const parts = found.filter(([, number]) => number).map(([word, number]) => `${number} ${WORDS[word]}`);
  if (differing.size) parts.push(`${differing.size} to decide`);
  control("told").textContent = `${marks.size} of ${cards.length} marked${parts.length ? `: ${parts.join(", ")}` : ""}${stored ? "" : " (this browser does not keep them: save often)"}`;
  control("undo").disabled = !past.length;
  const whole = marks.size === cards.length;
  control("done").hidden = !whole; // any change makes an earlier "Saved" untrue
  if (whole) control("done").textContent = `All ${cards.length} are marked. Now save the marks; the command below applies them.`;
}

const visible = () => [...list.children].filter((card) => !card.hidden);

function filter() {
  const wanted = Object.fromEntries(["kind", "class", "split", "state"].map((name) => [name, control(name)?.value ?? ""]));
  for (const card of cards) {
    const finding = findingOf(card), mark = marks.get(finding.id)?.mark ?? "none";
    card.hidden = Boolean(
      (wanted.kind && finding.kind !== wanted.kind) || (wanted.split && finding.split !== wanted.split)
      || (wanted.class && ![finding.label, finding.model?.label].includes(wanted.class))
      || (wanted.state && (wanted.state === "differs" ? !differing.has(finding.id) : mark !== wanted.state)),
    );
  }
  const number = visible().length;
  control("shown").textContent = number === cards.length ? "" : `${number} shown`;
  control("nothing").hidden = number > 0;
  if (!current || current.hidden) choose(visible()[0] ?? null);
}

function sortCards() {
  const way = control("sort").value;
  const key = { number: () => 0, kind: (one) => [...control("kind").options].findIndex((option) => option.value === one.kind), file: (one) => one.file }[way];
  const ordered = [...cards].sort((a, b) => {
    const [one, other] = [findingOf(a), findingOf(b)], [left, right] = [key(one), key(other)];
    return left < right ? -1 : left > right ? 1 : one.number - other.number;
  });
  list.append(...ordered);
}

// The card that the keys act on is the one that Tab reaches.
function choose(card, look = false) {
  current?.setAttribute("tabindex", "-1");
  current = card;
  card?.setAttribute("tabindex", "0");
  if (!card || !look) return;
  card.focus({ preventScroll: true });
  card.scrollIntoView({ block: "nearest" });
}

function step(from, by) {
  const shown = visible(), at = shown.indexOf(from);
  return shown[Math.min(Math.max(at + by, 0), shown.length - 1)] ?? from;
}

// The card above (-1) or below (+1): the nearest in the next row.
function beside(from, by) {
  const place = (card) => card.getBoundingClientRect(), own = place(from);
  const rows = visible().filter((card) => (by > 0 ? place(card).top > own.top + 5 : place(card).top < own.top - 5));
  const next = by > 0 ? Math.min(...rows.map((card) => place(card).top)) : Math.max(...rows.map((card) => place(card).top));
  const row = rows.filter((card) => Math.abs(place(card).top - next) < 5);
  return row.sort((a, b) => Math.abs(place(a).left - own.left) - Math.abs(place(b).left - own.left))[0] ?? from;
}

// Act on a finding by a key or a button; true where the next finding is to follow.
function act(finding, name) {
  if (name === "loaded") {
    if (differing.has(finding.id)) setMark(finding, differing.get(finding.id));
    return true;
  }
  if (name === "model") {
    if (NO_OBJECT.includes(finding.kind)) return decide(finding, "delete"); // the model sees no object of its own here
    const to = modelRepair(finding);
    if (to) repair(finding, to, []);
    return marks.get(finding.id)?.mark === "fix";
  }
  return decide(finding, name);
}

const KEYS = { k: "keep", d: "delete", u: "unsure", m: "model", l: "loaded" };

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) {
    if (event.key === "z" && !event.altKey && !document.querySelector("dialog[open]")) takeBack(event);
    return;
  }
  if (event.target.closest("input, select, textarea") || !cards.length) return;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const onCard = event.target.closest(".finding");
  if (key === "z") return takeBack(event);
  if (key === "s") { event.preventDefault(); return saveMarks(); }
  if (!current || current.hidden) return;
  const moves = { ArrowLeft: () => step(current, -1), ArrowRight: () => step(current, 1), ArrowUp: () => beside(current, -1), ArrowDown: () => beside(current, 1) };
  if (key in moves && (onCard || event.target === document.body)) {
    event.preventDefault();
    choose(document.activeElement === current ? moves[key]() : current, true);
  } else if (key in KEYS) {
    const from = current, next = step(current, 1);
    const goOn = act(findingOf(from), KEYS[key]);
    if (from.hidden || goOn) choose(next.hidden ? visible()[0] ?? null : next, true);
    else choose(from, true);
  } else if ((key === "f" && findingOf(current).offers.includes("fix")) || (key === "Enter" && event.target === current)) {
    event.preventDefault();
    openEditor(findingOf(current));
  }
}

function saveMarks() {
  const said = save();
  control("done").hidden = false;
  control("done").textContent = `${said} It is in your browser's folder of downloads; the command below applies it.`;
}

function takeBack(event) {
  event.preventDefault();
  const finding = undo();
  const card = finding && cards.find((one) => one.dataset.id === finding.id);
  if (card && !card.hidden) choose(card, true);
}

if (cards.length) {
  followers.push((finding) => {
    for (const card of cards) if (!finding || card.dataset.id === finding.id) refresh(card);
    progress();
    if (!finding) filter();
  });
  for (const card of cards) {
    card.setAttribute("tabindex", "-1");
    card.addEventListener("focusin", () => choose(card));
    card.querySelector(".shot")?.addEventListener("click", () => { choose(card); openEditor(findingOf(card)); });
    for (const button of card.querySelectorAll(".acts button")) {
      button.addEventListener("click", () => {
        choose(card);
        if (button.classList[0] === "fix") openEditor(findingOf(card));
        else act(findingOf(card), button.classList[0]);
      });
    }
    refresh(card);
  }
  for (const name of ["kind", "class", "split", "state"]) control(name)?.addEventListener("change", filter);
  control("sort").addEventListener("change", sortCards);
  control("undo").addEventListener("click", takeBack);
  control("save").addEventListener("click", saveMarks);
  control("load").addEventListener("click", () => control("file").click());
  control("file").addEventListener("change", async () => {
    const [file] = control("file").files;
    const said = file ? take(await file.text()) : "";
    control("file").value = "";
    if (said && differing.size) {
      for (const name of ["kind", "class", "split"]) if (control(name)) control(name).value = "";
      control("state").value = "differs"; // what is to be decided, and nothing else
      filter();
    }
    document.querySelector(".bar").classList.toggle("open", Boolean(said)); // on a phone, where the sentence stands
    if (said) control("shown").textContent = said;
  });
  control("all").addEventListener("click", () => {
    for (const name of ["kind", "class", "split", "state"]) if (control(name)) control(name).value = "";
    filter();
  });
  control("more").addEventListener("click", () => {
    const open = document.querySelector(".bar").classList.toggle("open");
    control("more").setAttribute("aria-expanded", open);
  });
  document.addEventListener("keydown", onKey);
  progress();
  filter();
}
