// The record behind a cell, in a dialog.

const dialog = document.getElementById("record");
dialog.addEventListener("close", () => {
  Object.assign(chosen, { record: null, recordTask: null });
  writeAddress();
});

function openRecord(row, task) {
  drawRecord(row, task in row.tasks ? task : Object.keys(row.tasks)[0]);
  if (!dialog.open) dialog.showModal();
  dialog.scrollTop = 0;
}

function drawRecord(row, task) {
  Object.assign(chosen, { record: row.record.name, recordTask: task });
  writeAddress();
  const got = row.tasks[task];
  const record = row.record;
  const unit = got.unit ?? "error, %";
  const options = Object.keys(row.tasks).map((one) => [one, titleOf(row, one)]);
  const box = el("select", { id: "record-task", "aria-label": "Task", onchange: (event) => {
    drawRecord(row, event.target.value);
    document.getElementById("record-task").focus();
  } }, options.map(([key, text]) => el("option", { value: key, selected: key === task }, text)));
  const close = el("button", { type: "button", onclick: () => dialog.close() }, "Close");
  const look = row.looks && el("button", { type: "button", onclick: () => {
    Object.assign(chosen, { lookRow: record.name, lookTask: task, at: "look" });
    dialog.close();
    draw();
    document.getElementById("look").scrollIntoView();
  } }, "Look inside");
  const width = Math.min(window.innerWidth - 24, 960) - 42;
  dialog.replaceChildren(
    el("header", {}, el("h2", { id: "record-title" }, row.label, el("span", { class: "sub" }, breaking(row.setting))), close),
    el("div", {},
      el("div", { class: "choose" }, box, look || null),
      row.marks.length ? el("p", { class: "mark" }, `Mind: ${row.marks.join("; ")}.`) : null,
      el("h3", {}, `${titleOf(row, task)}: ${number(got.test[got.selected], unit === "bits" ? 2 : 1)} ${unit === "bits" ? "bits" : "% errors"} on the test`),
      paperLine(row, task),
      filledLine(row, task),
      restartsTable(row, got, unit),
      el("h3", {}, `On validation while it learned: ${unit}`),
      curveOf(row, got, width),
      el("h3", {}, "Make it again"),
      command(row, task),
      el("h3", {}, "Where it comes from"),
      provenance(row),
      el("details", {}, el("summary", {}, "Settings"), el("pre", {}, JSON.stringify(record.settings, null, 2))),
    ),
  );
}

function paperLine(row, task) {
  const published = paperOf(row, task);
  if (published == null) return null;
  return el("p", { class: "note" }, `Published: ${number(published)} %, ${standing(row.published.tasks_standing)}.`);
}

function filledLine(row, task) {
  const count = row.filled?.[task]; // other families have none
  return count ? el("p", { class: "note" }, `The official training file is not at hand: ${thousands(count)} training questions are generated.`) : null;
}

function restartsTable(row, got, unit) {
  const seed = row.record.settings.seed ?? 0;
  const restarts = got.test.map((_, restart) => restart);
  const columns = ["restart", "seed", "best epoch", `validation ${unit}`, `test ${unit}`];
  const body = restarts.map((restart) => {
    const selected = restart === got.selected;
    const cells = [seed + restart, got.best[restart], ...[got.valid, got.test].map((all) => number(all[restart], unit === "bits" ? 2 : 1))];
    const name = selected ? `${restart + 1}, selected` : String(restart + 1);
    return el("tr", { class: selected && "failed" }, el("th", { scope: "row" }, name), cells.map((cell) => el("td", {}, String(cell))));
  });
  const found = got.found == null ? "" : ` The selected restart found the supporting facts of ${number(got.found, 0)} % of the test questions.`;
  const head = el("tr", {}, columns.map((column) => el("th", { scope: "col" }, column)));
  return el("div", {},
    el("div", { class: "wide" }, el("table", {}, el("thead", {}, head), el("tbody", {}, body))),
    el("p", { class: "note" }, `Validation selects the restart; where two are equal, their loss decides.${found}`));
}

function curveOf(row, got, width) {
  const curve = row.curves[got.training];
  const about = row.record.settings.protocol === "joint" ? " The training is one for all tasks, and so is its curve." : "";
  return el("div", {},
    curves(width, "Validation error of every restart, epoch by epoch", curve, got.selected, got.best[got.selected]),
    el("p", { class: "note" }, `Strong: the selected restart, and where its best epoch was; pale: the others.${about}`));
}

function copied(text) {
  const button = el("button", { type: "button", onclick: async () => {
    await navigator.clipboard?.writeText(text);
    button.textContent = "Copied";
  } }, "Copy");
  return el("div", { class: "copy" }, el("pre", {}, text), navigator.clipboard ? button : null);
}

function command(row, task) {
  const { record } = row;
  const commits = [...new Set(record.runs.map((run) => run.commit?.slice(0, 10) ?? "not known"))];
  const alone = record.settings.protocol === "per_task" ? "This task alone" : "The training";
  const part = record.settings.protocol === "fresh" ? "" : ` task=${parseInt(task)}`;
  const whole = record.runs.length > 1
    ? "Its runs, by the commands of the record; zoo join makes one record of them:"
    : "The whole run, by the command of the record:";
  return el("div", {},
    el("p", { class: "note" }, `${alone}, compared with this record. On the same machine, with the code of commit ` +
      `${commits.join(" and ")} and the same versions, every figure and every answer is the same.`),
    copied(`zoo repeat run=${record.name}${part}`),
    el("p", { class: "note" }, whole),
    record.runs.map((run) => copied(`${run.command ?? "the record does not hold its command"} rerun=true`)));
}

function provenance(row) {
  const { record } = row;
  const lines = [
    ["Record", `results/runs/${record.name}.json`],
    ...record.runs.flatMap((run) => made(run, record.runs.length > 1)),
    ["Data, sha256", record.settings.data_sha256 ?? "not recorded"],
    ["Paper", record.paper ? el("a", { href: record.paper, rel: "noreferrer" }, record.paper) : NONE],
    ["Verified", data.verified[record.name] ?? "not yet: zoo verify"],
    ["Selection", record.selection],
  ];
  return el("dl", {}, lines.flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]));
}

// how a run was made; several may be joined in one record
function made(run, isPart) {
  const { environment } = run;
  const tree = { true: "with changes that were not committed", false: "clean", null: "not known" }[run.dirty];
  const versions = Object.entries(environment.versions ?? {}).map(([name, version]) => `${name} ${version ?? "?"}`);
  const machine = [environment.processor, plural(environment.cores, "core"), environment.gpu, environment.system];
  const seeds = run.restarts > 1 ? `seeds ${run.seed} to ${run.seed + run.restarts - 1}` : `seed ${run.seed}`;
  return [
    ...(isPart ? [["Part", `${plural(run.restarts, "restart")}, ${seeds}`]] : []),
    ["Commit", `${run.commit ?? "not known"}, ${run.history}`],
    ["Tree", tree],
    ["Finished", environment.finished],
    ["Time", `${clock(run.train_seconds)} of training, ${clock(run.wall_seconds)} by the clock, ${run.workers > 1 ? `${run.workers} processes` : "1 process"}`],
    ["Machine", machine.filter(Boolean).join(", ")],
    ["Versions", versions.join(", ")],
  ];
}
