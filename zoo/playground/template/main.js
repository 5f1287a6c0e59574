// The page as a whole: choosing a story, telling it again sentence by sentence, and what is said of the networks.

const SECOND = 1000; // milliseconds between two sentences that are told again
let playing = null;

function draw() {
  drawControls();
  drawTable();
  drawAddress();
  askAll(drawAnswer);
}

// The address keeps the story, or the customer, that one can start from again.
function drawAddress() {
  const story = state.task ? `#task=${state.task}&story=${state.number + 1}` : "#";
  history.replaceState(null, "", document.getElementById("dialog").hidden ? story : `#customer=${dialog.customer + 1}`);
}

function drawControls() {
  const task = document.getElementById("task");
  task.value = state.task ?? "";
  const slider = document.getElementById("heard");
  slider.max = Math.max(1, state.story.length);
  slider.value = state.heard;
  slider.disabled = state.story.length < 2;
  document.getElementById("heard-says").textContent = state.story.length ? `${state.heard} of ${plural(state.story.length, "sentence")} told` : "";
  const play = document.getElementById("play");
  play.disabled = slider.disabled;
  play.textContent = playing ? "Stop" : "Tell it again";
  document.getElementById("ask").placeholder = state.question ? `${state.question}?` : "where is mary?";
}

function hear(count) {
  state.heard = Math.min(state.story.length, Math.max(1, count));
  draw();
}

function stop() {
  clearInterval(playing);
  playing = null;
}

function play() {
  if (playing) {
    stop();
    return draw();
  }
  playing = setInterval(() => {
    if (state.heard + 1 >= state.story.length) stop();
    hear(state.heard + 1);
  }, SECOND);
  hear(1);
}

function setUp() {
  const tasks = Object.keys(data.stories);
  const task = document.getElementById("task");
  task.append(el("option", { value: "", disabled: true }, "a story of your own"), ...tasks.map((one) => el("option", { value: one }, `${one}, ${data.tasks[one]}`)));
  const choose = (one, number_) => {
    stop();
    start(one, number_);
    draw();
  };
  task.addEventListener("change", () => choose(task.value, 0));
  document.getElementById("another").addEventListener("click", () => choose(state.task ?? tasks[0], state.task ? state.number + 1 : 0));
  document.getElementById("empty").addEventListener("click", () => {
    stop();
    clear();
    draw();
    document.getElementById("tell").focus();
  });
  document.getElementById("heard").addEventListener("input", (event) => {
    stop();
    hear(Number(event.target.value));
  });
  document.getElementById("play").addEventListener("click", play);
  NARROW.addEventListener("change", draw);
  for (const name of ["tell", "ask"]) setUpField(name);
  drawTheme();
  drawMembers();
  const given = new URLSearchParams(location.hash.slice(1));
  const known = data.stories[given.get("task")] ? given.get("task") : tasks[Math.min(1, tasks.length - 1)];
  choose(known, Math.max(0, (parseInt(given.get("story")) || 1) - 1));
  if (!data.dialog) return;
  setUpDialog();
  setUpTabs();
  const customer = parseInt(given.get("customer")) - 1;
  if (!data.dialog.customers[customer]) return;
  begin(customer);
  openTab("dialog");
}

// Two tabs: stories, and a dialog.
const TABS = ["stories", "dialog"];

function setUpTabs() {
  document.getElementById("tabs").hidden = false;
  for (const [at, name] of TABS.entries()) {
    const tab = document.getElementById(`tab-${name}`);
    tab.addEventListener("click", () => openTab(name));
    tab.addEventListener("keydown", ({ key }) => {
      if (!["ArrowLeft", "ArrowRight"].includes(key)) return;
      openTab(TABS[1 - at]);
      document.getElementById(`tab-${TABS[1 - at]}`).focus();
    });
  }
  openTab("stories");
}

function openTab(shown) {
  for (const name of TABS) {
    const tab = document.getElementById(`tab-${name}`);
    tab.setAttribute("aria-selected", String(name === shown));
    tab.tabIndex = name === shown ? 0 : -1;
    document.getElementById(name).hidden = name !== shown;
  }
  drawAddress();
}

// What each network is, and what it cannot do.
function drawMembers() {
  const words = plural(data.models.length, "memory network");
  document.getElementById("about").prepend(`${words[0].toUpperCase()}${words.slice(1)} read the same story, here in your browser. `);
  const rows = data.models.map((model) => el("tr", {},
    el("th", { scope: "row", class: "text" }, el("a", { href: model.paper.link, rel: "noreferrer" }, breaking(model.name)),
      el("span", { class: "sub" }, `${model.paper.authors.split(/,| and /)[0]}${/,| and /.test(model.paper.authors) ? " et al." : ""}, ${model.paper.year}`)),
    el("td", { class: "text wrap" }, model.memory === "static" ? "keeps every sentence" : "rewrites a state of one size"),
    el("td", { class: "text wrap" }, data.traces[model.traces]),
    el("td", { class: "text wrap" }, model.supervision),
    el("td", {}, thousands(model.parameters)),
    el("td", {}, number(model.error))));
  const titles = ["network", "memory", "shown for each sentence", "learned from", "parameters", "errors, %"];
  document.getElementById("members").replaceChildren(el("table", {},
    el("thead", {}, el("tr", {}, titles.map((title, place) => el("th", { scope: "col", class: place < 4 && "text" }, title)))),
    el("tbody", {}, rows)));
  const sizes = [...new Set(data.models.map((model) => model.learned_from))].join(" and ");
  const windows = data.models.filter((model) => model.window < data.longest).map((model) => `${model.name} the last ${model.window}`);
  document.getElementById("limits").replaceChildren(...[
    `They know ${ofStories.known.size} words. What a word means they have learned from these stories alone: nothing of the world, no spelling, no names but these.`,
    "They always answer, even if the story does not say. The percentage is a softmax of a network's scores: how sure it is of itself, and not how often it is right. Networks that learn by margins are never sure in this sense.",
    "An answer is one entry of the vocabulary. A list, such as “apple, football”, is one entry too, and none can be made up.",
    `Each network has learned all twenty tasks of bAbI ${sizes} together. It errs more often than one that was trained for a single task, and those are what most tables of the leaderboard show. The errors above are the mean over the test sets of the twenty tasks.`,
    `A story has at most ${data.longest} sentences here, and a sentence at most ${longestSentence} words.${windows.length ? ` Of long stories ${windows.join(", ")} see only the last sentences.` : ""}`,
    "Grammar that differs from the stories' own may mean nothing to them, even if every word is known.",
    ...(data.left_out.length ? [`Not here, because this page's interpreter lacks an operator of theirs: ${data.left_out.join(", ")}.`] : []),
  ].map((said) => el("li", {}, said)));
}

setUp();
