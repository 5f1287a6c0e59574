// The story at hand, and what each network answers to it.

const longestSentence = Math.min(...data.models.map((model) => model.sentence_length));
const networks = data.models.map((model) => networkOf(model.network));

const state = {
  task: null, // of the story, and its number there; null once somebody has changed it
  number: 0,
  story: [], // {text, isStruck}
  question: "",
  known: null, // the right answer and the supporting facts, while the story is that of the test
  heard: 0, // sentences told so far
  model: 0, // whose looks are shown where there is room for one
};

function start(task, number) {
  const stories = data.stories[task];
  const { story, question, answer, facts } = stories[number % stories.length];
  Object.assign(state, {
    task, number: number % stories.length, question, known: { answer, facts }, heard: story.length,
    story: story.map((sentence) => ({ text: data.sentences[sentence], isStruck: false })),
  });
}

function tell(text) {
  state.story.push({ text, isStruck: false });
  changed();
}

function forget(place) {
  state.story.splice(place, 1);
  changed();
}

function ask(text) {
  state.question = text;
  changed();
}

function clear() {
  Object.assign(state, { story: [], question: "" });
  changed();
}

// by hand: nobody knows the right answer any more
function changed() {
  Object.assign(state, { task: null, known: null, heard: state.story.length });
}

// The sentences that the networks get, with their places in the story.
function heardSentences(withStruck = false) {
  return state.story.slice(0, state.heard)
    .map((sentence, place) => ({ ...sentence, place }))
    .filter((sentence) => withStruck || !sentence.isStruck);
}

const answers = new Map(); // by network and all that it was told and asked
const KEPT = 20_000; // answers

function keyOf(model, sentences) {
  return [model, state.question, ...sentences.map((sentence) => sentence.text)].join("\n");
}

// What a network answers to the sentences that it gets now; undefined until it is asked.
function answerOf(model, sentences = heardSentences()) {
  return answers.get(keyOf(model, sentences));
}

async function answer(model, sentences) {
  const key = keyOf(model, sentences);
  if (answers.has(key)) return;
  const { vocabulary, sentence_length: length } = data.models[model];
  const read = (text) => idsOf(wordsOf(text), vocabulary);
  const [story, question] = [sentences.map((sentence) => read(sentence.text)), read(state.question)];
  const unknown = [...story, question].flat().includes(undefined);
  if (answers.size > KEPT) answers.clear();
  if (unknown) {
    answers.set(key, { unknown: true });
    return;
  }
  const { probabilities, looks } = await asked(networks[model], length, story, question);
  const said = likeliest(probabilities);
  answers.set(key, { said: data.vocabularies[vocabulary][said], probability: probabilities[said], looks });
}

function likeliest(probabilities) {
  let best = 0;
  probabilities.forEach((probability, place) => { if (probability > probabilities[best]) best = place; });
  return best;
}

// Ask every network, one after another, with room for the browser between them; a newer request ends an older one.
let latest = 0;

async function askAll(answered) {
  const request = ++latest;
  const sentences = heardSentences();
  if (!sentences.length || !state.question) return;
  const whole = heardSentences(true);
  for (const model of networks.keys()) {
    for (const told of whole.length > sentences.length ? [sentences, whole] : [sentences]) {
      if (answerOf(model, told)) continue;
      await new Promise((resolve) => setTimeout(resolve));
      if (request !== latest) return;
      await answer(model, told);
    }
    if (request !== latest) return;
    answered(model);
  }
}
