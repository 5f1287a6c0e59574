// Two fields, for sentences and for the question, with words to press.

const fields = {
  tell: { following: data.following.tell, end: ".", done: (text) => tell(text), full: () => state.story.length >= data.longest },
  ask: { following: data.following.ask, end: "?", done: (text) => ask(text), full: () => false },
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
  const words = wordsOf(field.input.value);
  const fault = field.full() ? { says: `A story has at most ${data.longest} sentences here; remove one first.` } : faultOf(words, longestSentence);
  drawFault(name, fault);
  if (fault) return;
  field.done(words.join(" "));
  if (name === "tell") field.input.value = "";
  drawChips(name);
  draw();
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
  const { typed, words } = offered(field.input.value, field.following);
  const chip = (word) => {
    const isEnd = word === "";
    const press = () => {
      if (isEnd) return submit(name);
      const text = field.input.value;
      field.input.value = `${text.slice(0, text.length - typed.length).trimEnd()} ${word} `.trimStart();
      drawChips(name);
      document.querySelector(`#${name}-chips button`)?.focus({ preventScroll: true });
    };
    const says = isEnd ? (name === "tell" ? "Tell it" : "Ask it") : word;
    return el("button", { type: "button", class: isEnd ? "chip end" : "chip", "aria-label": says, onclick: press }, isEnd ? `${says} ${field.end}` : word);
  };
  const ends = words.includes("") ? [""] : [];
  document.getElementById(`${name}-chips`).replaceChildren(...[...ends, ...words.filter(Boolean)].map(chip));
}
