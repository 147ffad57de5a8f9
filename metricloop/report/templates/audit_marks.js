// --- The marks of an audit: what a person decided of each finding, kept in the browser and saved as a file -----------

const audit = JSON.parse(document.getElementById("findings")?.textContent || '{"findings": [], "images": {}, "classes": []}');
const findings = new Map(audit.findings.map((finding) => [finding.id, finding]));
const KEPT = `metricloop marks ${audit.audit}`;
const WORDS = { keep: "keep", fix: "fix", delete: "delete", unsure: "not sure" };
const NO_OBJECT = ["spurious", "doubled"]; // kinds of error of which the label is too much
const marks = new Map(); // id -> { mark, to: { box, label } or null, added: [{ box, label }] }
const past = []; // [id, mark before] of every change, for undo
const differing = new Map(); // id -> the mark of a loaded file, where a person decided otherwise on this page
const followers = []; // called with the finding that changed, or null for all
let stored = true; // whether this browser keeps marks

function changed(finding) {
  try {
    localStorage.setItem(KEPT, JSON.stringify([...marks]));
  } catch {
    stored = false; // a browser that keeps nothing for files
  }
  for (const follower of followers) follower(finding);
}

function put(id, mark) {
  if (mark) marks.set(id, mark);
  else marks.delete(id);
  changed(findings.get(id));
}

function setMark(finding, mark) {
  differing.delete(finding.id); // decided now
  past.push([finding.id, marks.get(finding.id) ?? null]);
  put(finding.id, mark);
}

function undo() {
  const last = past.pop();
  if (!last) return null;
  put(...last);
  return findings.get(last[0]);
}

// Decide with one word; the same word again takes it back, or stands against what a loaded file says. Returns whether the
// finding has a mark now.
function decide(finding, word) {
  const now = marks.get(finding.id);
  if (word === "delete" && finding.box_id === null) return false;
  if (now?.mark === word && differing.has(finding.id)) {
    setMark(finding, now);
    return true;
  }
  const same = now?.mark === word;
  setMark(finding, same ? null : { mark: word, to: null, added: word === "delete" ? (now?.added ?? []) : [] });
  return !same;
}

// What the model sees, as a repair: its class where the class is in doubt, its place where that is, else both.
function modelRepair(finding) {
  if (!finding.model) return null;
  const box = finding.kind === "class" && finding.box ? finding.box : inside(finding.model.box, finding);
  const label = finding.kind === "placed" && finding.label ? finding.label : finding.model.label;
  return { box, label };
}

function repair(finding, to, added) {
  const now = marks.get(finding.id);
  const drawn = added ?? now?.added ?? [];
  const kept = finding.box && to && to.label === finding.label && to.box.every((side, at) => Math.abs(side - finding.box[at]) < 0.05);
  const next = kept ? null : to;
  if (now?.mark === "delete" && !next && drawn.length) setMark(finding, { mark: "delete", to: null, added: drawn });
  else setMark(finding, next || drawn.length ? { mark: "fix", to: next, added: drawn } : null);
}

// A box within the picture, its sides in order, in hundredths of a pixel.
function inside(box, finding) {
  const { width, height } = audit.images[finding.image];
  const cut = (value, most) => Math.round(Math.min(Math.max(value, 0), most) * 100) / 100;
  const [x1, y1, x2, y2] = [cut(box[0], width), cut(box[1], height), cut(box[2], width), cut(box[3], height)];
  return [Math.min(x1, x2), Math.min(y1, y2), Math.max(x1, x2), Math.max(y1, y2)];
}

function asFile() {
  const listed = audit.findings.filter((finding) => marks.has(finding.id)).map((finding) => {
    const { id, kind, split, file, sha256, box_id, label, box, other } = finding;
    const seen = finding.model && { box: finding.model.box, label: finding.model.label };
    return { id, kind, split, file, sha256, box_id, label, box, seen, other, ...marks.get(id) };
  });
  const about = { format: "metricloop marks", version: 1, audit: audit.audit, study: audit.study, findings: audit.findings.length };
  return JSON.stringify({ ...about, marks: listed }, null, 1);
}

// Save all marks as a file; returns a sentence.
function save() {
  const link = element("a", { download: "marks.json", href: URL.createObjectURL(new Blob([asFile()], { type: "application/json" })) });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
  return `Saved as ${link.download}: ${marks.size} mark${marks.size === 1 ? "" : "s"}.`;
}

const alike = (one, other) => JSON.stringify(decision(one)) === JSON.stringify(decision(other));
const decision = ({ mark, to, added }) => [mark, ...[to, ...added].map((each) => each && [each.label, ...each.box])];

// Take the marks of a file; returns a sentence. A mark is of the same finding if its label has not changed. Where this
// page has another mark, that one stays, and the other is shown beside it until a person decides.
function take(text) {
  let content;
  try {
    content = JSON.parse(text);
  } catch {
    return "This is not a file of marks: it is no JSON.";
  }
  if (content?.format !== "metricloop marks" || !Array.isArray(content.marks)) return "This is not a file of marks.";
  let [taken, equal, differ] = [0, 0, 0];
  for (const one of content.marks) {
    const finding = findings.get(one.id);
    const same = finding && finding.file === one.file && finding.sha256 === one.sha256 && finding.box_id === (one.box_id ?? null)
      && finding.label === (one.label ?? null) && JSON.stringify(finding.box) === JSON.stringify(one.box ?? null);
    if (!same || !(one.mark in WORDS)) continue;
    const drawn = (each) => Array.isArray(each?.box) && each.box.length === 4 && each.box.every(Number.isFinite) && audit.classes.includes(each.label);
    const added = (Array.isArray(one.added) ? one.added : []).filter(drawn);
    const mine = marks.get(one.id), theirs = { mark: one.mark, to: drawn(one.to) ? one.to : null, added };
    if (mine && alike(mine, theirs)) equal += 1;
    else if (mine) {
      differing.set(one.id, theirs);
      differ += 1;
    } else {
      marks.set(one.id, theirs);
      taken += 1;
    }
  }
  past.length = 0;
  changed(null);
  const rest = content.marks.length - taken - equal - differ;
  return [
    `${taken} mark${taken === 1 ? "" : "s"} loaded.`,
    equal ? `${equal} as they are here.` : "",
    differ ? `${differ} differ${differ === 1 ? "s" : ""} from the mark here, which stays until you decide.` : "",
    rest ? `${rest} left out: of findings that are not on this page.` : "",
  ].filter(Boolean).join(" ");
}

try {
  for (const [id, mark] of JSON.parse(localStorage.getItem(KEPT) ?? "[]")) if (findings.has(id) && mark?.mark in WORDS) marks.set(id, mark);
} catch {
  stored = false;
}
