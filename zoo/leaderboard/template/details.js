// Sections that go below the errors: slices of the test, stories looked into, figures of papers.

function slices(table_, rows) {
  const pooled = chosen.slice === "all"; // a model that was run on some tasks only is not compared with one run on all
  const known = rows.filter((row) => row.slices && (pooled ? row.mean != null : chosen.slice in row.tasks));
  const missing = rows.filter((row) => !row.slices).map((row) => row.label);
  const others = rows.filter((row) => row.slices && !known.includes(row)).map((row) => row.label);
  const lack = [
    missing.length ? note(`Not shown, for their records were made before records kept what this needs: ${missing.join(", ")}. Runs made again keep it.`) : null,
    others.length ? note(`Not shown, for they were not run on ${pooled ? "all tasks" : "this task"}: ${others.join(", ")}.`) : null,
  ];
  const counts = (row, slice, bin) => {
    const of = pooled ? Object.values(row.slices[slice]) : [row.slices[slice][chosen.slice] ?? []];
    return of.reduce(([n, wrong], bins) => bins[bin] ? [n + bins[bin][0], wrong + bins[bin][1]] : [n, wrong], [0, 0]);
  };
  const accuracy = (row, slice, bin) => {
    const [n, wrong] = counts(row, slice, bin);
    return n ? 100 * (1 - wrong / n) : null;
  };
  const tables = !known.length ? null : Object.entries(data.slices).map(([slice, { title: title_, bins }]) => {
    const columns = [model, ...bins.map((bin, place) => ({
      name: String(place), title: bin, value: (row) => accuracy(row, slice, place),
      show: (row) => {
        const value = accuracy(row, slice, place);
        if (value == null) return el("span", { class: "none" }, NONE);
        return el("span", { title: plural(counts(row, slice, place)[0], "question") }, number(value));
      },
      shade: (row) => shadeOf(accuracy(row, slice, place) == null ? null : 100 - accuracy(row, slice, place)) }))];
    return el("figure", {}, table(`slice-${slice}`, `by ${title_}`, columns, known, "map"));
  });
  const options = [["all", "all tasks together"], ...tasks.map((task) => [task, `${task}, ${data.tasks[task]}`])];
  return [
    note("Right answers in percent of the test questions of a kind; the deeper the ground, the more errors. All tasks " +
      "together, the columns differ in their tasks too: long stories are mostly those of tasks 3 and 5."),
    el("div", { class: "choose" }, choice("slice-of", "Tasks", options, chosen.slice, (value) => { chosen.slice = value; })),
    tables && el("div", { class: "plots" }, tables),
    lack,
  ];
}

function lookInside(table_, rows) {
  if (!rows.length) return [];
  const best = new Set(bestRows({ rows }).map((one) => one.record.name)); // side by side each model stands once
  const keeping = rows.filter((one) => one.looks);
  const looking = keeping.some((one) => best.has(one.record.name)) ? keeping.filter((one) => best.has(one.record.name)) : keeping;
  const row = rows.find((one) => one.record.name === chosen.lookRow) ?? (looking.length ? null : rows[0]);
  const own = row ? Object.keys(row.tasks) : tasks.filter((task) => looking.some((one) => one.looks[task]?.length));
  const task = own.includes(chosen.lookTask) ? chosen.lookTask : own[0];
  const stories = row ? [] : storiesOf(looking, task);
  const at = Math.min(Math.max(1, Number(chosen.lookStory) || 1), stories.length) - 1;
  const models = [["", "all, side by side"], ...rows.map((one) => [one.record.name, one.label])];
  const choose = el("div", { class: "choose" },
    choice("look-row", "Model", looking.length ? models : models.slice(1), row?.record.name ?? "", (value) => { chosen.lookRow = value || null; }),
    choice("look-task", "Task", own.map((one) => [one, `${one}, ${data.tasks[one]}`]), task, (value) => { Object.assign(chosen, { lookTask: value, lookStory: null }); }),
    row ? null : choice("look-story", "Story", stories.map(({ by, look }, place) => [place + 1, `${place + 1}, ${look.question}? (${plural(by.length, "model")})`]), at + 1, (value) => { chosen.lookStory = value; }));
  if (!row) {
    const others = looking.filter((one) => !stories[at]?.by.some((shown) => shown.row === one)).map((one) => one.label);
    return [
      note("A test question, and every model whose record keeps it, with the setting that validation selects: its answer, and where it looked at each hop or what each " +
        "sentence wrote, in percent. Sentences with a dot are the supporting facts."),
      choose,
      stories[at] ? sideBySide(stories[at]) : note("No record here keeps a question of this task."),
      others.length ? note(`Other questions are kept of ${others.join(", ")}.`) : null,
    ];
  }
  if (!row.looks) {
    const again = el("code", {}, `${row.record.runs[0].command ?? "python run.py"} rerun=true`);
    return [choose, note("This record was made before records kept stories to look at. Made again, it would: ", again)];
  }
  const says = data.traces[row.traces] ?? "what the figures of this model mean is not known here";
  return [
    note("Test questions with the shortest stories, two answered rightly and two wrongly where there are such. ",
      el("b", { id: "says" }, says[0].toUpperCase() + says.slice(1), row.traces === "nothing" ? "." : ", in percent."),
      " Sentences with a dot are the supporting facts."),
    choose,
    el("div", { class: "stories" }, row.looks[task].map((look) => story(row, look))),
  ];
}

// The questions that records keep of a task, with the rows that have each; those of most rows first.
function storiesOf(rows, task) {
  const found = new Map();
  for (const row of rows) {
    for (const look of row.looks[task] ?? []) {
      const key = [look.question, ...look.story].join();
      if (!found.has(key)) found.set(key, { look, by: [] });
      const { by } = found.get(key);
      if (!by.some((one) => one.row === row)) by.push({ row, look });
    }
  }
  return [...found.values()].sort((a, b) => b.by.length - a.by.length);
}

// One story, with a block of columns per model.
function sideBySide({ look, by }) {
  const hopsOf = ({ row, look: own }) => (row.traces === "nothing" || !own.attention.length ? [null] : own.attention);
  const head = el("tr", {}, el("th", { scope: "col", class: "text" }, el("strong", {}, `${look.question}?`), el("span", { class: "sub" }, `right is ${look.answer}`)),
    by.map((one) => {
      const right = one.look.said === one.look.answer;
      return el("th", { scope: "colgroup", colspan: hopsOf(one).length, class: "beside" }, link(breaking(one.row.label), () => openRecord(one.row, null)),
        el("span", { class: right ? "right" : "wrong" }, `${right ? "✓" : "✗"} ${one.look.said}`));
    }));
  const body = look.story.map((sentence, place) =>
    el("tr", { class: look.facts.includes(place) && "fact" }, el("td", { class: "text" }, data.sentences[sentence]),
      by.map((one) => hopsOf(one).map((hop, at) => {
        if (!hop) return el("td", { class: "first none" }, NONE);
        const ground = heat(hop[place] / 10);
        return el("td", { ...ground, class: at ? ground.class : `${ground.class} first` }, number(hop[place] / 10, 0));
      }))));
  return el("article", { class: "story" },
    el("table", { class: "bare", id: "beside" }, el("caption", { hidden: true }, look.question), el("thead", {}, head), el("tbody", {}, body)));
}

function story(row, look) {
  const hops = row.traces === "nothing" ? [] : look.attention;
  const right = look.said === look.answer;
  const head = el("thead", {}, el("tr", {},
    el("th", { scope: "col", class: "text" }, "story"), hops.map((_, hop) => el("th", { scope: "col" }, el("span", { class: "hop" }, "hop "), String(hop + 1)))));
  const body = look.story.map((sentence, place) =>
    el("tr", { class: look.facts.includes(place) && "fact" }, el("td", { class: "text" }, data.sentences[sentence]),
      hops.map((hop) => el("td", heat(hop[place] / 10), number(hop[place] / 10, 0)))));
  return el("article", { class: "story" },
    el("p", {}, el("strong", {}, `${look.question}?`), ` ${look.said} `,
      el("span", { class: right ? "right" : "wrong" }, right ? "✓ right" : `✗ wrong, it is ${look.answer}`)),
    el("table", { class: "bare" }, el("caption", { hidden: true }, look.question), head, el("tbody", {}, body)));
}

function papers(table_) {
  if (!table_.published.length) return [note("Published figures are of official data, and stand only beside those.")];
  const text = (name, title_) => ({ name, title: title_, text: true, wrap: name !== "setting", value: (row) => row[name], show: (row) => row[name] });
  const one = (name, title_, word) => ({ name, title: title_, value: (row) => row[name] === "" ? null : Number(row[name]), show: (row) => row[name] ? row[name] + signOf(row[word]) : NONE });
  const columns = [
    { ...text("name", "model"), wrap: false, show: (row) => (row.model ? row.name : [row.name, el("span", { class: "sub" }, "not built here, or others' run")]) }, text("setting", "setting"), one("mean_error", "mean error, %", "mean_standing"), one("failed_tasks", "failed", "failed_standing"),
    { name: "mean_standing", title: "the mean is", text: true, wrap: true, value: (row) => row.mean_standing, show: (row) => standing(row.mean_standing) },
    { name: "tasks_standing", title: "its tasks are", text: true, wrap: true, value: (row) => row.tasks_standing, show: (row) => standing(row.tasks_standing) },
    text("conditions", "conditions"), text("source", "where it was seen"),
  ];
  return [
    note("What papers report at this size and protocol, under their own conditions: the release, restarts and how one was " +
      "chosen, supervision. Without a sign: seen in the paper; ‡ was seen only where others quote it, † is from memory of it only."),
    table("papers", "Published figures", columns, table_.published),
  ];
}
