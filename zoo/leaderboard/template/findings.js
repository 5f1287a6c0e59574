// What stands on top: findings in sentences, each a press away from its cells, and the sizes of the data side by side.

const LEARNED = { answers: "Learned from answers alone", "supporting facts": "Told in training which sentences matter" };

// mean validation error of the restart that validation selected
function validOf(row) {
  return average(Object.values(row.tasks).map((got) => got.valid[got.selected]));
}

// the tables of the chosen data and protocol, one per size; the release's variants stand alone
function sizesBeside(table_) {
  return data.tables.filter((one) => one.source === table_.source && one.protocol === table_.protocol && !one.size.includes("-"));
}

// the row of every model that has all tasks and the least validation error
function bestRows(table_) {
  const best = new Map();
  for (const row of table_.rows.filter((one) => one.mean != null)) {
    const other = best.get(row.model);
    if (!other || validOf(row) < validOf(other)) best.set(row.model, row);
  }
  return [...best.values()];
}

// rows in groups by what they have learned from, answers first; a group has a heading where there are several
function apart(name, rows, show) {
  const kinds = [...new Set(rows.map((row) => row.supervision))].sort();
  if (kinds.length < 2) return show(name, rows);
  return kinds.map((kind, place) => el("div", {},
    el("h3", {}, LEARNED[kind] ?? kind),
    show(place ? `${name}-${kind.replaceAll(" ", "-")}` : name, rows.filter((row) => row.supervision === kind))));
}

function findings(table_) {
  if (!table_.findings.length) return [note("No model here has all tasks yet.")];
  const rows = data.tables.flatMap((one) => one.rows);
  const shown = (part) => typeof part === "string" ? part : link(part[0], () => openRecord(rows.find((row) => row.record.name === part[1]), part[2]));
  return [
    note(`Of ${TRAINED[table_.protocol] ?? table_.protocol} on ${table_.source} data; of each model the setting that validation selects.`),
    el("ul", { class: "findings" }, table_.findings.map((parts) => el("li", {}, parts.map(shown)))),
  ];
}

const TRAINED = { per_task: "one training per task", joint: "one training for all tasks" };

function sizes(table_, rows) {
  const shown = new Set(rows.map((row) => row.model)); // the filter by name holds here too
  const tables = sizesBeside(table_);
  const models = new Map();
  for (const one of tables) {
    for (const row of bestRows(one)) {
      if (!shown.has(row.model) && chosen.text) continue;
      const beside = models.get(row.model) ?? { model: row.model, label: row.model, supervision: row.supervision, of: {} };
      models.set(row.model, { ...beside, of: { ...beside.of, [one.size]: row } });
    }
  }
  const name = { name: "model", title: "model", text: true, value: (row) => row.model, show: (row) => link(breaking(row.model), () => openRecord(Object.values(row.of).at(-1))) };
  const column = ({ size }) => figure(`at-${size}`, `${size}, error %`, (row) => row.of[size]?.mean, (row) => {
    const one = row.of[size];
    if (!one) return el("span", { class: "none" }, NONE);
    const mark = Object.keys(one.filled).length ? "*" : "";
    return el("button", { type: "button", "aria-label": `${one.label} at ${size}: ${number(one.mean, 2)} %`, title: one.setting, onclick: () => openRecord(one) },
      el("strong", {}, number(one.mean, 1) + mark), el("span", { class: "sub" }, `${one.failed} failed`));
  }, "mean test error over the tasks; below it the failed tasks");
  const shaded = tables.map((one) => ({ ...column(one), shade: (row) => shadeOf(row.of[one.size]?.mean) }));
  const [few, many] = [tables[0]?.size, tables.at(-1)?.size];
  const times = figure("times", "times fewer", (row) => row.of[few] && row.of[many] ? row.of[few].mean / Math.max(0.05, row.of[many].mean) : null,
    (row) => row.of[few] && row.of[many] ? `${number(row.of[few].mean / Math.max(0.05, row.of[many].mean), 1)} ×` : NONE, `errors at ${few} for each one at ${many}`);
  const ranked = [...models.values()].sort((a, b) => (a.of[many]?.mean ?? Infinity) - (b.of[many]?.mean ?? Infinity));
  if (!ranked.length) return [note("No model here has all tasks yet.")];
  return [
    note("Of every model the setting that validation selects, at each size. Press a figure to open its record. The other " +
      "sections show the size that is chosen above, with every setting."),
    el("div", { class: "beside" }, apart("sizes", ranked, (id, some) => table(id, `bAbI, ${table_.source} data, ${TRAINED[table_.protocol] ?? table_.protocol}`, [name, ...shaded, ...(few === many ? [] : [times])], some, "cells"))),
  ];
}
