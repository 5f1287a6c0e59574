// A dialog: somebody says what the customer says, a network chooses the reply. It hears all lines before.

const SILENCE = "<silence>"; // what a customer says who waits
const dialog = data.dialog && {
  customer: 0, // whose lines are offered, and compared with
  turns: [], // {says, reply, probability, looks}
  shown: null, // the turn whose looks are shown
};

const bot = data.dialog && networkOf(data.dialog.network);
const spoken = data.dialog && unpacked(data.dialog.spoken).then((text) => {
  const { words, replies } = JSON.parse(new TextDecoder().decode(text));
  return { words, replies, numbers: new Map(words.map((word, number) => [word, number])) };
});

// the words of a dialog lie between blanks, and a mark belongs to its word
function wordsOfDialog(text) {
  return text.toLowerCase().split(/\s+/).filter(Boolean);
}

// All lines of some turns: who says what.
function linesOf(turns) {
  const [customer, waiter] = data.dialog.speakers;
  return turns.flatMap(({ says, reply }) => [{ by: customer, text: says }, { by: waiter, text: reply }]);
}

// What the customer of the test says next, and the reply there; null once somebody, or the network, has said something else.
function expected() {
  const known = data.dialog.customers[dialog.customer];
  const isTheirs = dialog.turns.every((turn, at) => turn.says === known[at]?.says && (turn.reply ?? known[at].reply) === known[at].reply);
  return isTheirs ? known[dialog.turns.length] ?? null : null;
}

async function say(text) {
  const known = expected();
  const turn = { says: text };
  const before = linesOf(dialog.turns);
  dialog.turns.push(turn);
  dialog.shown = turn;
  drawDialog();
  const { words, replies, numbers } = await spoken;
  const read = (line) => wordsOfDialog(line).map((word) => numbers.get(word));
  const told = before.map(({ by, text: line }) => [numbers.get(by), ...read(line)]);
  const { probabilities, looks } = await asked(bot, data.dialog.sentence_length, told, read(text));
  const best = likeliest(probabilities);
  Object.assign(turn, { reply: replies[best].map((word) => words[word]).join(" "), probability: probabilities[best], looks });
  if (known?.says === text) turn.right = known.reply;
  drawDialog();
}

function dialogIsFull() {
  if (dialog.turns.at(-1) && dialog.turns.at(-1).reply === undefined) return "Wait for the reply.";
  return 2 * dialog.turns.length + 2 > data.dialog.longest ? `A dialog has at most ${data.dialog.longest} lines here; begin again.` : null;
}

function begin(customer) {
  Object.assign(dialog, { customer, turns: [], shown: null });
  drawDialog();
  drawAddress();
}

function drawDialog() {
  document.getElementById("customer").value = String(dialog.customer);
  const looks = dialog.shown?.looks ?? [];
  const before = 2 * dialog.turns.indexOf(dialog.shown); // lines that were heard before the reply that is shown
  const look = (line) => looks.map((_, hop) => (line < before ? lookOf("td", looks, hop, line) : el("td")));
  const rows = dialog.turns.flatMap((turn, at) => [
    el("tr", {}, el("th", { scope: "row", class: "customer" }, turn.says === SILENCE ? el("em", {}, "says nothing") : turn.says), look(2 * at)),
    el("tr", {}, el("th", { scope: "row", class: "bot" }, replyParts(turn, at)), look(2 * at + 1)),
  ]);
  const empty = rows.length ? null : el("tr", {}, el("th", { scope: "row", class: "none" }, "The customer speaks first."));
  replace(document.getElementById("log"), el("table", {}, el("caption", { class: "aloud" }, "The dialog, and how far the network looked at each line before it chose the reply"),
    el("tbody", {}, rows, empty)));
  const next = expected();
  document.getElementById("next").replaceChildren(...(next ? [el("button", { type: "button", id: "next-line", onclick: () => sayNext(next.says) }, next.says === SILENCE ? "The customer says nothing" : next.says)] : []));
}

function sayNext(text) {
  if (!dialogIsFull()) say(text).then(() => document.getElementById("next-line")?.focus({ preventScroll: true }));
}

function replyParts(turn, at) {
  if (turn.reply === undefined) return "…";
  const isRight = turn.right && turn.right === turn.reply;
  const click = () => {
    dialog.shown = turn;
    drawDialog();
  };
  return [
    el("button", { type: "button", id: `reply-${at}`, class: "sentence", "aria-pressed": String(turn === dialog.shown), title: "Show where it looked", onclick: click }, el("span", { class: "text" }, turn.reply)),
    el("span", { class: "sub" }, markOf(isRight), percent(turn.probability), isRight === false ? `; in the test: ${turn.right}` : null),
  ];
}

function setUpDialog() {
  const { customers, task, following, name, error, parameters, sentence_length: most, longest } = data.dialog;
  fields.say = {
    language: languageOf(wordsOfDialog, "It does not know", [following]), following, most, end: "Say it", mark: "", done: say, full: dialogIsFull,
  };
  setUpField("say");
  const customer = document.getElementById("customer");
  customer.append(...customers.map((_, number_) => el("option", { value: number_ }, String(number_ + 1))));
  customer.addEventListener("change", () => begin(Number(customer.value)));
  document.getElementById("again").addEventListener("click", () => begin(dialog.customer));
  document.getElementById("bot").textContent = `${name}, ${thousands(parameters)} weights, trained on the task “${task}” of dialog bAbI alone; ${number(error)} % of its replies are wrong on the test.`;
  document.getElementById("dialog-limits").replaceChildren(...[
    `It chooses one of thousands of replies, and cannot make one up. It knows ${fields.say.language.known.size} words of customers.`,
    "It hears the dialog from its first line, and takes orders: cuisine, place, number of people, price. Then it calls for a list of restaurants, which nobody sends here.",
    "It was trained on dialogs that a program wrote. Whoever leaves their paths gets odd replies.",
    `A dialog has at most ${longest} lines here.`,
  ].map((said) => el("li", {}, said)));
  begin(0);
}
