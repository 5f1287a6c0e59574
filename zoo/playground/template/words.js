// Words: read from what somebody types, looked up, and offered.

const vocabularies = data.vocabularies.map((words) => new Map(words.map((word, number) => [word, number])));

// What may be typed: how a text is cut into words, and the known ones, which are those of some lists of followers.
function languageOf(wordsOf, nobodyKnows, following) {
  const known = new Set(following.flatMap((of) => Object.entries(of).flatMap(([word, next]) => [word, ...next])));
  known.delete("");
  return { wordsOf, nobodyKnows, known };
}

const ofStories = languageOf(wordsOf, "None of them knows", Object.values(data.following));

function wordsOf(text) {
  return text.toLowerCase().match(/[\p{L}\p{N}_]+(?:['-][\p{L}\p{N}_]+)*/gu) ?? [];
}

// letters to change, to add or to leave out
function distance(a, b) {
  let above = Array.from({ length: b.length + 1 }, (_, place) => place);
  for (const [row, letter] of [...a].entries()) {
    const line = [row + 1];
    [...b].forEach((other, column) => {
      line.push(Math.min(above[column] + (letter === other ? 0 : 1), above[column + 1] + 1, line[column] + 1));
    });
    above = line;
  }
  return above[b.length];
}

// the known word that is written most like another; null if none is written much like it
function nearest(word, known) {
  let [best, least] = [null, Math.max(2, word.length / 2)];
  for (const one of known) {
    const apart = distance(word, one);
    if (apart < least || (apart === least && best && one.startsWith(word))) [best, least] = [one, apart];
  }
  return best;
}

// What is wrong with a sentence: a text, and a better sentence where there is one; null if nothing is.
function faultOf(words, most, { known, nobodyKnows }) {
  if (!words.length) return { says: "Type some words, or press them." };
  const unknown = words.find((word) => !known.has(word));
  if (unknown) {
    const near = nearest(unknown, known);
    const better = near && words.map((word) => (word === unknown ? near : word)).join(" ");
    return { says: `${nobodyKnows} the word “${unknown}”.`, near, better };
  }
  if (words.length > most) return { says: `${words.length} words: a sentence has at most ${most}.` };
  return null;
}

// Words to offer behind a text, of sentences that are told or asked: those that complete the word that is being typed,
// or those that follow the last one in the stories that the networks have learned from.
function offered(text, following, { wordsOf, known }) {
  const words = wordsOf(text);
  const typing = words.length > 0 && !/\s$/.test(text);
  const last = typing ? words.pop() : null;
  const next = following[words.at(-1) ?? ""] ?? [];
  if (!typing) return { typed: "", words: next };
  const begun = (word) => word.startsWith(last) && word !== last;
  const whole = known.has(last) ? following[last] ?? [] : [];
  const completing = [...new Set([...next, ...known])].filter(begun);
  return completing.length ? { typed: last, words: completing.slice(0, 12) } : { typed: "", words: whole };
}

function idsOf(words, vocabulary) {
  return words.map((word) => vocabularies[vocabulary].get(word));
}
