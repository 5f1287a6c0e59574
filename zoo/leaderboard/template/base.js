// What every part of the page uses: what is chosen, figures, tables.

const tasks = Object.keys(data.tasks);
const WORST = 60; // percent; the heat map does not tell larger errors apart
const chosen = { text: "", luck: null, paper: "means", a: null, b: null, slice: "all", lookRow: null, lookTask: null, lookStory: null, record: null, recordTask: null, at: null };

function clock(seconds) {
  const whole = Math.round(seconds);
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (part) => String(part).padStart(2, "0");
  return h ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}

function average(values) {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function deviation(values) {
  const mean = average(values);
  return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1));
}

// the error of the restart that validation selected
function errorOf(row, task) {
  const got = row.tasks[task];
  return got ? got.test[got.selected] : null;
}

function paperOf(row, task) {
  return row.published ? row.published.tasks[task] : null;
}

// how a published figure is known: what stands behind it, the look of its point, in words
const standings = {
  verified: { sign: "", look: "dot", says: "seen in the paper" },
  quoted: { sign: "‡", look: "pale", says: "quoted elsewhere" },
  recalled: { sign: "†", look: "hollow", says: "from memory" },
};

function standing(word) {
  if (!word) return NONE;
  const { sign, says } = standings[word];
  return sign ? `${says} (${sign})` : says;
}

function signOf(word) {
  return standings[word]?.sign ?? "";
}

// what is to be said of a task, or of another part of a record
function titleOf(row, task) {
  return row.tasks[task].title ?? `Task ${task}, ${data.tasks[task]}`;
}

const sorted = {}; // by table: the column, and whether the largest comes first

function table(name, caption, columns, rows, look = "") {
  const [by, down] = sorted[name] ?? [];
  const column = columns.find((one) => one.name === by);
  if (column) {
    rows = [...rows].sort((a, b) => {
      const [x, y] = [column.value(a), column.value(b)];
      if (x == null || y == null) return (x == null) - (y == null); // what is not there stands last, either way
      const order = typeof x === "string" ? x.localeCompare(y) : x - y;
      return down ? -order : order;
    });
  }
  const head = columns.map((one) => {
    const order = one === column ? { "aria-sort": down ? "descending" : "ascending" } : {};
    const click = () => {
      sorted[name] = [one.name, one === column && !down];
      draw();
    };
    const button = { type: "button", class: "sort", id: `sort-${name}-${one.name}`, title: one.says, onclick: click };
    return el("th", { scope: "col", class: one.text && "text", ...order }, el("button", button, one.title));
  });
  const body = rows.map((row) =>
    el("tr", {}, columns.map((one, place) => {
      if (place === 0) return el("th", { scope: "row", class: "text" }, one.show(row));
      const shade = one.shade?.(row) ?? {};
      const looks_ = [one.text && "text", one.wrap && "wrap", shade.class].filter(Boolean).join(" ");
      return el("td", { style: shade.style, class: looks_ || null }, one.show(row));
    })),
  );
  const parts = [el("caption", {}, caption), el("thead", {}, el("tr", {}, head)), el("tbody", {}, body)];
  return el("div", { class: "wide" }, el("table", { id: `table-${name}`, class: look }, parts));
}

// a labelled choice; options are [value, text] or, under a heading, [heading, [[value, text], …]]
function choice(name, title, options, value, change) {
  const option = ([key, text]) =>
    Array.isArray(text)
      ? el("optgroup", { label: key }, text.map(option))
      : el("option", { value: key, selected: String(key) === String(value) }, text);
  const box = el("select", { id: name, onchange: (event) => { change(event.target.value); draw(); } }, options.map(option));
  return el("label", {}, title, box);
}
