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

function least(rows, value) {
  return rows.reduce((best, row) => (best == null || value(row) < value(best) ? row : best), null);
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
  const tables = sizesBeside(table_).map((one) => ({ ...one, best: bestRows(one) })).filter((one) => one.best.length);
  if (!tables.length) return [note("No model here has all tasks yet.")];
  const said = [];
  const cell = (row, task) => link(`${row.label}${task ? `, task ${task}` : ""}`, () => openRecord(row, task));
  const largest = tables.at(-1);
  for (const kind of Object.keys(LEARNED)) {
    const row = least(largest.best.filter((one) => one.supervision === kind), (one) => one.mean);
    if (row) said.push([`${LEARNED[kind]}, `, cell(row), ` errs least at ${largest.size}: ${number(row.mean, 1)} % on average, ${plural(row.failed, "task")} of ${tasks.length} failed.`]);
  }
  if (tables.length > 1) {
    const gains = largest.best.flatMap((row) => {
      const before = tables[0].best.find((one) => one.model === row.model);
      return before ? [{ row, before, gain: before.mean - row.mean }] : [];
    });
    const most = least(gains, (one) => -one.gain);
    const open = (row) => link(`${number(row.mean)} %`, () => openRecord(row));
    if (most && most.gain > 0) said.push([`From ${tables[0].size} to ${largest.size} questions per task, the errors of ${most.row.model} fall most: from `, open(most.before), " to ", open(most.row), "."]);
  }
  const hardest = least(tasks, (task) => -Math.min(...largest.best.map((row) => errorOf(row, task))));
  const first = least(largest.best, (row) => errorOf(row, hardest));
  if (errorOf(first, hardest) > 0) said.push([`The hardest task at ${largest.size} is ${hardest}, ${data.tasks[hardest]}: the best there, `, cell(first, hardest), `, errs on ${number(errorOf(first, hardest))} %.`]);
  const spreads = largest.best.flatMap((row) => Object.entries(row.tasks).map(([task, got]) => ({ row, task, low: Math.min(...got.test), high: Math.max(...got.test) })));
  const widest = least(spreads, (one) => one.low - one.high);
  if (widest.high > widest.low) said.push(["Luck goes furthest with ", cell(widest.row, widest.task), ` at ${largest.size}: restarts that differ in their seeds alone err on ${number(widest.low)} to ${number(widest.high)} %.`]);
  const papers_ = largest.best.filter((row) => row.published?.mean != null);
  const furthest = least(papers_, (row) => -Math.abs(row.mean - row.published.mean));
  if (furthest) said.push([`Furthest from its paper at ${largest.size} is `, cell(furthest), `: ${number(furthest.mean, 1)} %, where ${furthest.published.mean} %${signOf(furthest.published.mean_standing)} is published.`]);
  return [
    note(`Of ${TRAINED[table_.protocol] ?? table_.protocol} on ${table_.source} data; of each model the setting that validation selects.`),
    el("ul", { class: "findings" }, said.map((parts) => el("li", {}, parts))),
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
