// Fields for what is told, asked or said, with words to press.

const storyIsFull = () => (state.story.length >= data.longest ? `A story has at most ${data.longest} sentences here; remove one first.` : null);

// `done` takes the text, `full` says what stands in the way of any
const fields = {
  tell: { language: ofStories, following: data.following.tell, most: longestSentence, end: "Tell it", mark: ".", done: (text) => { tell(text); draw(); }, full: storyIsFull },
  ask: { language: ofStories, following: data.following.ask, most: longestSentence, end: "Ask it", mark: "?", done: (text) => { ask(text); draw(); }, full: () => null, keeps: true },
};

function setUpField(name) {
  const field = fields[name];
  const [input, form] = [document.getElementById(name), document.getElementById(`${name}-form`)];
  input.addEventListener("input", () => drawChips(name));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    submit(name);
  });
  field.input = input;
  drawChips(name);
}

function submit(name) {
  const field = fields[name];
  const words = field.language.wordsOf(field.input.value);
  const full = field.full();
  const fault = full ? { says: full } : faultOf(words, field.most, field.language);
  drawFault(name, fault);
  if (fault) return;
  field.done(words.join(" "));
  if (!field.keeps) field.input.value = "";
  drawChips(name);
  field.input.focus({ preventScroll: true });
}

function drawFault(name, fault) {
  const box = document.getElementById(`${name}-fault`);
  const use = () => {
    fields[name].input.value = fault.better;
    submit(name);
  };
  box.replaceChildren(...(fault ? [fault.says, fault.near ? [" Did you mean ", el("button", { type: "button", class: "link", onclick: use }, fault.near), "?"] : ""] : []).flat());
}

// Words that may come next; the mark that ends a sentence stands first where it may end.
function drawChips(name) {
  const field = fields[name];
  drawFault(name, null);
  const { typed, words } = offered(field.input.value, field.following, field.language);
  const chip = (word) => {
    const isEnd = word === "";
    const press = () => {
      if (isEnd) return submit(name);
      const text = field.input.value;
      field.input.value = `${text.slice(0, text.length - typed.length).trimEnd()} ${word} `.trimStart();
      drawChips(name);
      document.querySelector(`#${name}-chips button`)?.focus({ preventScroll: true });
    };
    const says = isEnd ? field.end : word === SILENCE ? "(nothing)" : word;
    return el("button", { type: "button", class: isEnd ? "chip end" : "chip", "aria-label": says, onclick: press }, isEnd ? `${says} ${field.mark}` : says);
  };
  const ends = words.includes("") ? [""] : [];
  document.getElementById(`${name}-chips`).replaceChildren(...[...ends, ...words.filter(Boolean)].map(chip));
}
