// The table: a row per sentence, a column per network, and above it the answer.

const NARROW = matchMedia("(max-width: 40rem)");
const FEW_HOPS = 3; // with more, their figures have no room

function percent(share) {
  return `${(100 * share).toFixed(share > 0.995 && share < 1 ? 1 : 0)} %`;
}

// right, wrong or nothing at all
function verdictOf(answered) {
  if (!state.known || !answered?.said || state.heard < state.story.length) return null;
  return answered.said === state.known.answer;
}

// what a network answers while no sentence is struck out, if that is something else
function otherwise(model) {
  const [now, whole] = [answerOf(model), answerOf(model, heardSentences(true))];
  return now?.said && whole?.said && now.said !== whole.said ? whole.said : null;
}

function answerParts(model) {
  const answered = answerOf(model);
  if (!heardSentences().length || !state.question) return [el("span", { class: "said none" }, NONE)];
  if (!answered) return [el("span", { class: "said none" }, "…")];
  if (answered.unknown) return [el("span", { class: "sub" }, "does not know a word of this")];
  const was = otherwise(model);
  return [
    el("span", { class: "said" }, answered.said.replaceAll(",", ", ")),
    el("span", { class: "meter", style: `--share:${(100 * answered.probability).toFixed(1)}` }),
    el("span", { class: "sub" }, markOf(verdictOf(answered)), percent(answered.probability)),
    ...(was ? [el("span", { class: "sub was" }, `not ${was}`)] : []),
  ];
}

// a mark for right or wrong; none where nobody knows
function markOf(isRight) {
  if (isRight == null) return null;
  return el("span", { class: isRight ? "right" : "wrong" }, isRight ? "✓ " : "✗ ", el("span", { class: "aloud" }, isRight ? "right, " : "wrong, "));
}

function drawTable() {
  const shown = NARROW.matches ? [state.model] : [...data.models.keys()];
  const head = el("tr", {},
    el("th", { scope: "col", class: "asked" }, questionParts()),
    shown.map((model) => el("th", { scope: "col", class: "answer" },
      el("span", { class: "name" }, breaking(data.models[model].name)), el("div", { id: `answer-${model}` }))));
  const body = state.story.map((sentence, place) => {
    const isFact = state.known?.facts.includes(place);
    const looks = [sentence.isStruck && "struck", place >= state.heard && "untold", isFact && "fact"].filter(Boolean).join(" ");
    return el("tr", { class: looks || null },
      el("th", { scope: "row" }, el("div", {}, strikeButton(sentence, place, isFact), forgetButton(place))),
      shown.map((model) => el("td", { id: `look-${model}-${place}` })));
  });
  const empty = state.story.length ? null : el("tr", {}, el("th", { scope: "row", class: "none" }, "Nothing is told yet."), shown.map(() => el("td")));
  replace(document.getElementById("table"), el("table", { id: "reading" },
    el("caption", { class: "aloud" }, "The story, and how far each network looked at each sentence"),
    el("thead", {}, head), el("tbody", {}, body, empty)));
  drawCards();
  for (const model of data.models.keys()) drawAnswer(model);
}

// One network's answer and looks. Only these are drawn as it answers, so that nothing moves under a finger.
function drawAnswer(model) {
  const sentences = heardSentences();
  document.getElementById(`answer-${model}`)?.replaceChildren(...answerParts(model));
  document.getElementById(`card-${model}`)?.lastChild.replaceChildren(...answerParts(model));
  state.story.forEach((_, place) => {
    const at = sentences.findIndex((one) => one.place === place); // among those that the networks get
    document.getElementById(`look-${model}-${place}`)?.replaceChildren(...hopsOf(model, at));
  });
  drawSays();
}

function questionParts() {
  if (!state.question) return [el("span", { class: "none" }, "Nothing is asked yet.")];
  const known = state.known && el("span", { class: "sub" }, `Right is: ${state.known.answer.replaceAll(",", ", ")}`);
  return [el("strong", {}, `${sentenceCase(state.question)}?`), known];
}

function sentenceCase(text) {
  return text[0].toUpperCase() + text.slice(1);
}

function strikeButton(sentence, place, isFact) {
  const click = () => {
    sentence.isStruck = !sentence.isStruck;
    draw();
  };
  const says = sentence.isStruck ? "Put it back" : "Strike it out";
  return el("button", { type: "button", id: `strike-${place}`, class: "sentence", "aria-pressed": String(sentence.isStruck), title: says, onclick: click },
    el("span", { class: "number" }, String(place + 1)),
    el("span", { class: "text" }, `${sentenceCase(sentence.text)}.`),
    isFact ? el("span", { class: "aloud" }, "A supporting fact.") : null);
}

function forgetButton(place) {
  const click = () => {
    forget(place);
    draw();
  };
  return el("button", { type: "button", id: `forget-${place}`, class: "forget", "aria-label": `Remove sentence ${place + 1}`, title: "Remove it", onclick: click }, "×");
}

// How far a network looked at a sentence: a ground for each hop, with a figure where there is room.
function hopsOf(model, at) {
  const looks = at < 0 ? null : answerOf(model)?.looks;
  if (!looks?.length) return [];
  const gone = looks[0][at] == null;
  if (gone) return [el("span", { class: "sub", title: "It sees the last sentences only" }, "not seen")];
  return [el("div", { class: "hops" }, looks.map((_, hop) => lookOf("span", looks, hop, at)))];
}

// A ground that tells a share, with its figure where there is room.
function lookOf(element, looks, hop, at) {
  const share = 100 * looks[hop][at];
  const says = `${looks.length > 1 ? `hop ${hop + 1}: ` : ""}${number(share, share < 1 && share > 0 ? 1 : 0)} %`;
  const figure = looks.length <= FEW_HOPS && share >= 0.5 ? number(share, 0) : "";
  return el(element, { ...heat(share), title: says }, el("span", { "aria-hidden": "true" }, figure), el("span", { class: "aloud" }, says));
}

// Where there is room for the looks of one network only: all answers as a list, of which one is chosen.
function drawCards() {
  const cards = document.getElementById("cards");
  cards.hidden = !NARROW.matches;
  if (!NARROW.matches) return;
  replace(cards, data.models.map(({ name }, model) => {
    const click = () => {
      state.model = model;
      drawTable();
    };
    return el("button", { type: "button", id: `card-${model}`, "aria-pressed": String(model === state.model), onclick: click },
      el("span", { class: "name" }, breaking(name)), el("span"));
  }));
}

// The outcome in a sentence.
function drawSays() {
  const answered = [...data.models.keys()].map((model) => ({ name: data.models[model].name, model, ...answerOf(model) })).filter((one) => one.said);
  const parts = [];
  const struck = state.story.slice(0, state.heard).filter((sentence) => sentence.isStruck).length;
  if (!heardSentences().length) parts.push("Tell them something first.");
  else if (!state.question) parts.push("Ask them something.");
  else if (answered.length === data.models.length) {
    const verdicts = answered.map(verdictOf);
    const counts = new Map();
    for (const { said } of answered) counts.set(said, (counts.get(said) ?? 0) + 1);
    const [most, count] = [...counts].sort((a, b) => b[1] - a[1])[0];
    if (verdicts[0] != null) parts.push(`${verdicts.filter(Boolean).length} of ${answered.length} are right.`);
    else parts.push(count === answered.length ? `All ${count} say ${most}.` : `${count} of ${answered.length} say ${most}.`);
    if (struck) {
      const others = answered.filter(({ model }) => otherwise(model)).map(({ name }) => name);
      parts.push(`Without ${struck === 1 ? "the sentence" : `${struck} sentences`} that you struck out, ${others.length ? `${others.join(", ")} ${others.length === 1 ? "answers" : "answer"} something else` : "nobody answers anything else"}.`);
    }
  }
  document.getElementById("says").textContent = parts.join(" ");
}

// new content in place of the old, with the focus where it was
function replace(box, ...content) {
  const focused = box.contains(document.activeElement) ? document.activeElement.id : null;
  const at = { left: box.scrollLeft, top: box.scrollTop };
  box.replaceChildren(...content.flat());
  Object.assign(box, { scrollLeft: at.left, scrollTop: at.top });
  if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
}
