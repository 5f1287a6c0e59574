// The sections of the page, each a function of a table, of its rows that the filter leaves, and of a width.

const sections = [
  ["findings", "Findings", findings],
  ["sizes", "Sizes side by side", sizes],
  ["summary", "Models", summary],
  ["map", "Task by task", heatMap],
  ["luck", "Luck", luck],
  ["published", "Published beside ours", publishedPlot],
  ["cost", "Error against cost", cost],
  ["pair", "Any two models", pair],
  ["slices", "Where the errors are", slices],
  ["look", "Look inside", lookInside],
  ["papers", "Published figures", papers],
];

// a section of another family of tasks: tables that Python has filled
function sheetSection(sheet, fits) {
  const tables = sheet.grids.map((grid, place) => {
    const rows = grid.rows.map(({ record, cells }) => ({ ...sheet.rows[record], cells })).filter(fits);
    const columns = grid.columns.map((title_, at) => ({
      name: String(at), title: title_, value: (row) => row.cells[at].value ?? (row.cells[at].text === NONE ? null : row.cells[at].text),
      show: (row) => {
        const cell = row.cells[at];
        const inside = [cell.text, cell.below ? el("span", { class: "sub" }, cell.below) : null];
        if (cell.part == null) return inside;
        const says = `${row.label}, ${titleOf(row, cell.part)}: ${cell.text}`;
        return el("button", { type: "button", "aria-label": says, onclick: () => openRecord(row, cell.part) }, inside);
      },
      shade: (row) => row.cells[at].shade == null ? {} : shadeOf(row.cells[at].shade) }));
    const shaded = grid.rows.some((row) => row.cells.some((cell) => cell.shade != null));
    return [table(`${sheet.name}-${place}`, grid.title, [model, ...columns], rows, shaded ? "map cells" : "cells"), grid.notes.map((said) => el("p", { class: "note" }, said))];
  });
  const pictures = sheet.pictures.map(({ says, source }) => el("img", { class: "picture", alt: says, src: source }));
  return [note(sheet.about, " Press a figure to open its record."), pictures.length ? el("div", { class: "pictures" }, pictures) : null, tables];
}

function link(text, open) {
  return el("button", { type: "button", class: "link", onclick: open }, text);
}

function note(...text) {
  return el("p", {}, text);
}

const model = {
  name: "model", title: "model", text: true, value: (row) => row.label,
  show: (row) => [
    link(row.model, () => openRecord(row)),
    el("span", { class: "sub", title: row.setting }, breaking(row.setting)),
    row.marks.length ? el("span", { class: "sub mark" }, row.marks.join("; ")) : null,
  ],
};

function figure(name, title, value, show, says) {
  return { name, title, says, value, show: show ?? ((row) => number(value(row))) };
}

function summary(table_, rows) {
  const spread = (row) => row.restart_means.length < 2 ? NONE :
    `${number(average(row.restart_means), 2)} ± ${number(deviation(row.restart_means), 2)}`;
  const published = (row, value, word) => value == null ? NONE : `${value}${signOf(row.published[word])}`;
  const columns = [
    model,
    figure("mean", "mean error, %", (row) => row.mean, (row) => [
      el("strong", {}, number(row.mean ?? row.part_mean, 2) + (Object.keys(row.filled).length ? "*" : "")),
      row.mean == null ? el("span", { class: "sub" }, `${Object.keys(row.tasks).length} of ${plural(tasks.length, "task")}`) : null,
      row.interval && el("span", { class: "sub" }, row.interval.map((end) => number(end)).join(" to ")),
      row.unfilled == null ? null : el("span", { class: "sub" }, `${number(row.unfilled, 2)} without *`),
    ], "mean test error over the tasks; below it a bootstrap interval"),
    figure("failed", "failed", (row) => row.failed, (row) => String(row.failed ?? NONE), `tasks with more than ${data.pass_mark} % errors`),
    figure("published", "published", (row) => row.published?.mean, (row) => [
      published(row, row.published?.mean, "mean_standing"),
      row.published?.failed == null ? null : el("span", { class: "sub" }, `${published(row, row.published.failed, "failed_standing")} failed`),
    ], "mean error in the paper; below it the failed tasks"),
    figure("restart_means", "all restarts", (row) => row.restart_means.length ? average(row.restart_means) : null, (row) => [
      spread(row), el("span", { class: "sub" }, plural(row.restarts, "restart")),
    ], "mean and standard deviation, over restarts, of the mean error"),
    figure("facts_found", "facts found, %", (row) => row.facts_found, (row) => number(row.facts_found, 0), "questions whose supporting facts got more attention, at their best hop, than any other sentence"),
    figure("parameters", "parameters", (row) => row.parameters, (row) => thousands(row.parameters)),
    figure("state_size", "memory size", (row) => row.state_size, (row) => thousands(row.state_size), "numbers kept of the longest story"),
    figure("seconds", "training", (row) => row.seconds, (row) => clock(row.seconds), "time of all trainings and restarts, one after another"),
    { name: "memory", title: "memory", text: true, value: (row) => row.memory, show: (row) => row.memory },
    { name: "supervision", title: "learns from", text: true, value: (row) => row.supervision, show: (row) => row.supervision },
  ];
  return [
    note("Test error. Of all epochs and restarts validation selects one, and the test questions are read once. Small " +
      "figures under a mean: where it would lie, in 95 of 100 cases, had other tasks of this kind been drawn " +
      "(bootstrap over tasks). Press a column to sort, a model to open its record."),
    apart("summary", rows, (id, some) => table(id, table_.title, columns, some)),
    ...filledNotes(rows),
  ];
}

function filledNotes(rows) {
  const filled = Object.assign({}, ...rows.map((row) => row.filled));
  return Object.entries(filled).map(([task, count]) =>
    el("p", { class: "note" }, `* The official training file of task ${task} is not at hand: ${thousands(count)} questions ` +
      "of it are generated, the others, and the test, official."));
}

function heatMap(table_, rows) {
  const cell = (row, task) => {
    const error = errorOf(row, task);
    if (error == null) return el("span", { class: "none", title: "not run" }, NONE);
    const published = paperOf(row, task);
    const says = `${row.label}, task ${task}, ${data.tasks[task]}: ${number(error)} %` +
      (published == null ? "" : `; published ${published} %${signOf(row.published.tasks_standing)}`);
    const failed = error > data.pass_mark ? "failed" : null;
    const button = { type: "button", class: failed, title: says, "aria-label": says, onclick: () => openRecord(row, task) };
    return el("button", button, number(error) + (task in row.filled ? "*" : ""));
  };
  const columns = [
    model,
    ...tasks.map((task) => ({
      name: task, title: task, says: data.tasks[task], value: (row) => errorOf(row, task), show: (row) => cell(row, task),
      shade: (row) => shadeOf(errorOf(row, task)) })),
  ];
  const legend = el("div", { class: "legend" },
    el("span", {}, "0 %", el("i", { class: "ramp" }), `${WORST} % and more`),
    el("span", {}, el("b", {}, "bold"), `failed: more than ${data.pass_mark} %`));
  return [
    note("Test error in percent of the selected restart. Each cell opens its record: settings, seeds, curves, the command."),
    legend,
    apart("map", rows, (id, some) => table(id, table_.title, columns, some, "map cells")),
    el("p", { class: "note" }, tasks.map((task) => `${task} ${data.tasks[task]}`).join(" · ")),
  ];
}

function shadeOf(error) {
  return error == null ? {} : heat((100 * error) / WORST);
}

function luck(table_, rows, width) {
  const names = rows.map((row) => [row.record.name, row.label]);
  const numbers = tasks.filter((task) => rows.some((row) => task in row.tasks)).map((task) => [task, `${task}, ${data.tasks[task]}`]);
  const picked = rows.find((row) => row.record.name === chosen.luck) ?? (chosen.luck in data.tasks ? null : rows[0]);
  const line = (row, task, name) => {
    const got = row.tasks[task];
    const says = `${row.label}, task ${task}: selected ${number(errorOf(row, task))} %, all restarts ${number(Math.min(...got.test))} to ${number(Math.max(...got.test))} %`;
    return { name, values: got.test, selected: got.selected, paper: paperOf(row, task), says, open: () => openRecord(row, task) };
  };
  const lines = picked
    ? tasks.filter((task) => task in picked.tasks).map((task) => line(picked, task, `${task} ${data.tasks[task]}`))
    : rows.filter((row) => chosen.luck in row.tasks).map((row) => line(row, chosen.luck, row.label));
  const high = Math.max(5, ...lines.flatMap((one) => [...one.values, one.paper ?? 0]));
  return [
    note("Test error of every restart. They differ only in their seeds; how far they lie apart is how far luck goes. The " +
      "filled one is what validation selected, without a look at the test."),
    el("div", { class: "choose" }, choice("luck-of", "Restarts of", [["a model, all tasks", names], ["a task, all models", numbers]],
      picked ? picked.record.name : chosen.luck, (value) => { chosen.luck = value; })),
    legendOf([["dot", "selected by validation"], ["faint", "another restart"], ["paper", "published"]]),
    lines.length ? strips(width, "Test error of every restart", lines, 0, high) : note("No model has this task."),
  ];
}

function legendOf(entries) {
  return el("div", { class: "legend" }, entries.map(([look, text]) => {
    const shape = look === "paper" ? svg("path", { class: look, d: "M7 0v14" }) : svg("circle", { class: look, cx: 7, cy: 7, r: 5 });
    return el("span", {}, svg("svg", { width: 14, height: 14, style: "width:14px", "aria-hidden": "true" }, shape), text);
  }));
}

function publishedPlot(table_, rows, width) {
  const beside = rows.filter((row) => row.published);
  if (!beside.length) return [note("No published figure has the conditions of these rows: papers report official data, and not every model at every size.")];
  const picked = beside.find((row) => row.record.name === chosen.paper);
  const points = picked
    ? tasks.filter((task) => errorOf(picked, task) != null && paperOf(picked, task) != null).map((task) => ({
        x: paperOf(picked, task), y: errorOf(picked, task), name: task, look: standings[picked.published.tasks_standing].look,
        says: `task ${task}, ${data.tasks[task]}: published ${paperOf(picked, task)} %, ours ${number(errorOf(picked, task))} %`,
        open: () => openRecord(picked, task) }))
    : beside.filter((row) => row.mean != null && row.published.mean != null).map((row) => ({
        x: row.published.mean, y: row.mean, name: row.label, look: standings[row.published.mean_standing].look,
        says: `${row.label}: published ${row.published.mean} %, ours ${number(row.mean, 2)} %`, open: () => openRecord(row) }));
  const options = [["means", "mean of all tasks, every model"], ["task by task", beside.map((row) => [row.record.name, row.label])]];
  const high = Math.max(5, ...points.flatMap((point) => [point.x, point.y])) * 1.08;
  const axis = (title_) => ({ title: title_, low: 0, high, show: String });
  const side = Math.min(width, 560);
  const figure_ = picked && listed(table_, picked.published.key);
  return [
    note("Below the diagonal we make fewer errors than the paper reports. The papers' conditions often differ from ours; " +
      "they stand under ", el("a", { href: "#papers" }, "Published figures"), "."),
    el("div", { class: "choose" }, choice("paper-of", "Show", options, picked ? picked.record.name : "means", (value) => { chosen.paper = value; })),
    legendOf(Object.entries(standings).map(([word, { look }]) => [look, `published figure, ${standing(word)}`])),
    figure_ ? el("p", { class: "note" }, `${figure_.name}, ${figure_.setting}: ${figure_.conditions}.`) : null,
    el("div", { style: `max-width:${side}px` }, scatter(side, side * 0.85, "Published error against ours", axis("published error, %"), axis("our error, %"), points, "fewer errors than published")),
  ];
}

function listed(table_, key) {
  return table_.published.find((figure_) => figure_.key === key);
}

const DURATIONS = [1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 18000, 36000, 72000, 144000, 360000, 720000];

function cost(table_, rows, width) {
  const complete = rows.filter((row) => row.mean != null);
  if (!complete.length) return [note("No row here has all tasks, so there is no mean to draw.")];
  const side = width > 900 ? width / 2 - 16 : width;
  const plot = (title_, value, show, marks) => {
    const values = complete.map(value);
    const errors = complete.map((row) => Math.max(0.1, row.mean));
    const points = complete.map((row, place) => ({
      x: Math.max(1, value(row)), y: errors[place], name: row.label, open: () => openRecord(row),
      says: `${row.label}: ${number(row.mean, 2)} % errors, ${show(value(row))}, ${plural(row.restarts, "restart")}` }));
    const axisX = { title: title_, log: true, low: Math.max(1, Math.min(...values)) / 1.6, high: Math.max(2, ...values) * 1.6, show, marks };
    const axisY = { title: "mean error, %", log: true, low: Math.min(...errors) / 1.6, high: Math.max(...errors) * 1.6, show: String };
    return el("figure", {}, scatter(side, 330, `Mean error against ${title_}`, axisX, axisY, points));
  };
  return [
    note("To the left is cheaper, below is better; both axes are logarithmic. The time is that of all tasks and all " +
      "restarts, on the machine of the record; the memory is what is kept of the longest story."),
    el("div", { class: "plots" },
      plot("training time, hours:minutes:seconds", (row) => row.seconds, clock, DURATIONS),
      plot("memory size, numbers", (row) => row.state_size, thousands)),
  ];
}

function pair(table_, rows, width) {
  const complete = rows.filter((row) => row.mean != null);
  if (complete.length < 2) return [note("A comparison needs two models with all tasks in this table.")];
  const find = (name, other) => complete.find((row) => row.record.name === name) ?? complete.find((row) => row !== other);
  const a = find(chosen.a, null);
  let b = find(chosen.b, a);
  if (a === b) b = find(null, a);
  const places = [a, b].map((row) => table_.rows.indexOf(row)).sort((x, y) => x - y);
  const { p } = table_.pairs.find((one) => one.rows[0] === places[0] && one.rows[1] === places[1]);
  const differences = tasks.map((task) => errorOf(a, task) - errorOf(b, task));
  const fewer = differences.filter((difference) => difference < 0).length;
  const more = differences.filter((difference) => difference > 0).length;
  const options = complete.map((row) => [row.record.name, row.label]);
  const chance = p >= 0.01 ? `${(100 * p).toFixed(0)} of 100` : p >= 0.0001 ? `${Math.max(1, Math.round(10000 * p))} of 10,000` : "fewer than 1 of 10,000";
  const lines = tasks.map((task, place) => ({ name: `${task} ${data.tasks[task]}`, value: differences[place] }));
  return [
    el("div", { class: "choose" },
      choice("pair-a", "First", options, a.record.name, (value) => { chosen.a = value; }),
      choice("pair-b", "Second", options, b.record.name, (value) => { chosen.b = value; })),
    el("p", { id: "verdict", class: "note" },
      el("strong", {}, `${a.label} makes fewer errors than ${b.label} on ${plural(fewer, "task")}, more on ${more}, as many on ${tasks.length - fewer - more}. `),
      `If neither were the better one on tasks such as these, differences that lean to one side as much as these do would come about by chance in ${chance} comparisons ` +
      `(Wilcoxon's signed-rank test, two-sided, exact: p = ${p.toPrecision(2)}). `,
      (a.restarts === b.restarts ? "" : `Mind that validation has chosen from ${plural(a.restarts, "restart")} of the first and ${b.restarts} of the second: with more of them either would err less. `) +
      `This table has ${plural(table_.pairs.length, "pair")}: in as many comparisons some small p come about by chance.`),
    el("div", { style: "max-width:46rem" },
      bars(Math.min(width, 736), "Difference of the errors, task by task, in points of a percent", lines, ["first has fewer errors", "second"])),
  ];
}
