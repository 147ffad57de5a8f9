"use strict";
// What a page can do beyond being read: tables of class "sortable" sort by a click on a heading, and pictures and
// plots open large. Without scripts the page is the same, without the buttons.

document.documentElement.classList.add("scripts");

function element(tag, attributes, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

// --- Tables -------------------------------------------------------------------------------------------------------

function numberIn(text) {
  // "+0.056 (+19 %)" -> 0.056; "−2.5" -> -2.5; "<0.001" is just below 0.001; a dash has no number
  const found = text.replace(/\u2212/g, "-").replace(/(\d),(?=\d{3})/g, "$1").match(/(<)?\s*[+±]?(-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)/);
  return found ? Number(found[2]) - (found[1] ? 1e-9 : 0) : null;
}

function makeSortable(table) {
  const headings = [...table.tHead.rows].at(-1).cells;
  const original = new Map([...table.tBodies].map((body) => [body, [...body.rows]]));
  const said = element("span", { class: "unseen", role: "status" });
  table.after(said);
  [...headings].forEach((heading, column) => {
    if (!heading.textContent.trim()) return;
    const numeric = heading.classList.contains("n");
    const button = element("button", { type: "button", class: "sort" }, ...heading.childNodes);
    heading.append(button);
    const order = numeric ? ["descending", "ascending", null] : ["ascending", "descending", null];
    button.addEventListener("click", () => {
      const now = order[(order.indexOf(heading.getAttribute("aria-sort")) + 1) % 3];
      for (const other of headings) other.removeAttribute("aria-sort");
      if (now) heading.setAttribute("aria-sort", now);
      for (const [body, rows] of original) body.append(...sorted(rows, column, numeric, now));
      said.textContent = now ? `Sorted by ${heading.textContent.trim()}, ${now}` : "In the order of the page";
    });
  });
}

function sorted(rows, column, numeric, direction) {
  if (!direction) return rows;
  const isHeading = (row) => row.cells[0].scope === "rowgroup"; // it stays above its rows
  const known = rows.filter((row) => !isHeading(row)).map((row) => {
    const text = row.cells[column].textContent.trim();
    return { row, key: numeric ? numberIn(text) : text };
  });
  const sign = direction === "ascending" ? 1 : -1;
  known.sort((a, b) => {
    if (a.key === null || b.key === null) return (a.key === null) - (b.key === null); // unknown ones last
    return sign * (numeric ? a.key - b.key : a.key.localeCompare(b.key, undefined, { numeric: true }));
  });
  return [...rows.filter(isHeading), ...known.map((entry) => entry.row)];
}

// --- Pictures and plots -------------------------------------------------------------------------------------------

const LARGEST = 8; // times the size that fits the window

function makeZoomable(figures) {
  const shown = element("div", { class: "view", tabindex: "0" });
  const caption = element("p", { class: "caption", "aria-live": "polite" });
  const tools = element("div", { class: "tools" });
  const dialog = element("dialog", { class: "large", "aria-label": "Enlarged" }, tools, shown, caption);
  let at = 0, factor = 1;

  const buttons = figures.map((figure, place) => {
    const button = element("button", { type: "button", class: "zoom", title: "Enlarge" });
    figure.replaceWith(button);
    button.append(figure);
    button.addEventListener("click", () => show(place));
    return button;
  });

  function show(place) {
    at = (place + figures.length) % figures.length;
    factor = 1;
    const figure = figures[at], copy = figure.cloneNode(true);
    const label = (figure.closest("[aria-label]") ?? figure.querySelector("[aria-label]")).getAttribute("aria-label");
    const picture = copy.matches("[viewBox]");
    shown.replaceChildren(picture ? copy : element("div", { class: "plot" }, copy));
    if (!dialog.open) dialog.showModal();
    const within = { width: shown.clientWidth - 4, height: shown.clientHeight - 4 };
    const size = picture ? figure.viewBox.baseVal : figure.getBoundingClientRect();
    shown.fit = Math.min(within.width / size.width, within.height / size.height, picture ? Infinity : 3);
    shown.base = size.width;
    scale(1);
    const group = figure.closest("[data-group]");
    caption.textContent = group ? `${group.dataset.group}: ${label}` : label;
    shown.focus();
  }

  function scale(wanted) {
    factor = Math.min(Math.max(wanted, 1), LARGEST);
    const centre = [(shown.scrollLeft + shown.clientWidth / 2) / shown.scrollWidth, (shown.scrollTop + shown.clientHeight / 2) / shown.scrollHeight];
    const copy = shown.firstElementChild;
    if (copy.matches(".plot")) {
      copy.style.width = `${shown.base}px`;
      copy.style.zoom = shown.fit * factor;
    } else {
      copy.style.width = `${shown.base * shown.fit * factor}px`;
    }
    shown.scrollLeft = centre[0] * shown.scrollWidth - shown.clientWidth / 2;
    shown.scrollTop = centre[1] * shown.scrollHeight - shown.clientHeight / 2;
  }

  const actions = [
    ["←", "Previous", () => show(at - 1), ["ArrowLeft"]],
    ["→", "Next", () => show(at + 1), ["ArrowRight"]],
    ["−", "Smaller", () => scale(factor / 1.5), ["-"]],
    ["+", "Larger", () => scale(factor * 1.5), ["+", "="]],
    ["×", "Close", () => dialog.close(), []], // and Esc, by the browser
  ];
  for (const [sign, name, act] of actions) {
    const button = element("button", { type: "button", "aria-label": name, title: name }, sign);
    button.addEventListener("click", act);
    tools.append(button);
  }
  dialog.addEventListener("keydown", (event) => {
    const found = actions.find(([, , , keys]) => keys.includes(event.key));
    const scrolls = event.key.startsWith("Arrow") && factor > 1; // an enlarged picture is moved by the arrows
    if (!found || scrolls || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    found[2]();
  });
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
  dialog.addEventListener("close", () => { shown.replaceChildren(); buttons[at].focus(); });
  document.body.append(dialog);
}

document.querySelectorAll("table.sortable").forEach(makeSortable);
const figures = [...document.querySelectorAll("svg.thumb, svg.histogram, .curves")];
if (figures.length) makeZoomable(figures);
