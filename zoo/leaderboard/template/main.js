// The table that the filters choose, and drawing it.

const filters = ["source", "size", "protocol"];
let current = data.tables[0];

function drawFilters() {
  for (const [place, name] of filters.entries()) {
    const values = [...new Set(data.tables.map((one) => one[name]))];
    const options = values.map((value) => el("option", { value, selected: value === current?.[name] }, value.replace("_", " ")));
    const box = document.getElementById(name);
    box.parentElement.hidden = !current; // they choose a table of bAbI
    box.replaceChildren(...options);
    box.onchange = () => {
      // of the tables with this value the one that keeps most of the other choices, the first of them first
      const agrees = (one) => filters.reduce((sum, other, rank) => sum + (one[other] === current[other]) * 2 ** (2 - rank), 0);
      const fitting = data.tables.filter((one) => one[name] === box.value);
      current = fitting.reduce((best, one) => (agrees(one) > agrees(best) ? one : best));
      drawFilters();
      draw();
    };
  }
}

function section(id, title_, content) {
  return el("section", { id, "aria-labelledby": `${id}-title` }, el("h2", { id: `${id}-title` }, title_), content);
}

function draw() {
  const main = document.querySelector("main");
  const focused = document.activeElement?.id;
  const words = chosen.text.toLowerCase().split(/\s+/);
  const fits = (row) => words.every((word) => `${row.model} ${row.setting}`.toLowerCase().includes(word));
  const rows = current ? current.rows.filter(fits) : [];
  document.getElementById("shown").textContent = current ? `${rows.length} of ${plural(current.rows.length, "row")}` : "";
  const scrolled = [...main.querySelectorAll(".wide")].map((box) => box.scrollLeft);
  const shown = current
    ? sections.map(([id, title_, content]) =>
        section(id, title_, rows.length || id === "papers" ? content(current, rows, main.clientWidth) : note("No model here has such a name.")))
    : [note("No records of bAbI yet: python run.py model=gated_memn2n task=babi_all makes the first.")];
  const damaged = data.left_out.length
    ? [section("left-out", "Records left out", [note("They are damaged, or of a family that is not known here:"), el("ul", {}, data.left_out.map((said) => el("li", {}, said)))])]
    : [];
  main.replaceChildren(...damaged, ...shown, ...data.sheets.map((sheet) => section(sheet.name, sheet.title, sheetSection(sheet, fits))));
  main.querySelectorAll(".wide").forEach((box, place) => { box.scrollLeft = scrolled[place] ?? 0; });
  writeAddress();
  if (focused && main.querySelector(`#${CSS.escape(focused)}`)) document.getElementById(focused).focus({ preventScroll: true });
}

const linked = [...(current ? sections : []), ...data.sheets.map((sheet) => [sheet.name, sheet.title])];
document.querySelector("nav").append(...linked.map(([id, title_]) => el("a", { href: `#${id}` }, title_)));
document.getElementById("text").addEventListener("input", (event) => {
  chosen.text = event.target.value.trim();
  draw();
});
document.getElementById("filters").addEventListener("submit", (event) => event.preventDefault());
let width = window.innerWidth;
window.addEventListener("resize", () => {
  if (window.innerWidth !== width) draw(); // on a phone the height changes with every scroll
  width = window.innerWidth;
});
if (data.playground) document.querySelector("header p").append(" ", el("a", { href: "playground.html" }, "To the playground"));
document.addEventListener("click", goTo);
window.addEventListener("hashchange", readAddress);
drawTheme();
readAddress();
