// Networks: unpacked from the page, prepared once, asked again and again. zoo/playground/graph.py says what a graph is.

const DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;,=>?@^_`{|}~";

// Bytes of a text: five digits of base 85 are four bytes, the last ones perhaps less.
function decoded(text) {
  const digit = new Uint8Array(128);
  for (let value = 0; value < 85; value++) digit[DIGITS.charCodeAt(value)] = value;
  const bytes = new DataView(new ArrayBuffer(4 * Math.ceil(text.length / 5)));
  for (let at = 0; at < text.length; at += 5) {
    let number = 0;
    for (let place = at; place < at + 5; place++) {
      number = number * 85 + (place < text.length ? digit[text.charCodeAt(place)] : 84);
    }
    bytes.setUint32((at / 5) * 4, number);
  }
  return new Uint8Array(bytes.buffer, 0, Math.floor((text.length * 4) / 5));
}

async function unpacked(text) {
  return new Response(new Blob([decoded(text)]).stream().pipeThrough(new DecompressionStream("gzip"))).arrayBuffer();
}

// Floats that are stored byte by byte, first the last bytes of all; a fourth byte that is not there is zero.
function joined(stored, bytes) {
  const size = stored.length / bytes;
  const bits = new Uint32Array(size);
  for (let plane = 0; plane < bytes; plane++) {
    const shift = 8 * (plane + 4 - bytes);
    for (let place = 0; place < size; place++) bits[place] |= stored[plane * size + place] << shift;
  }
  return new Float32Array(bits.buffer);
}

function constantOf({ s: shape, k: kind, at, bytes }, weights) {
  const size = sizeOf(shape);
  if (kind === "f") return tensor(kind, shape, joined(new Uint8Array(weights, at, size * bytes), bytes));
  return tensor(kind, shape, new ARRAYS[kind](weights, at, size));
}

// A network of the page: asks for the graph of a number of slots once, and keeps it.
function networkOf(packed) {
  const constants = unpacked(packed.weights).then((weights) => packed.constants.map((one) => constantOf(one, weights)));
  const graphs = {};
  const slots = Object.keys(packed.graphs).map(Number);
  return {
    // the fewest slots that hold a story, or the most that there are
    slotsFor: (sentences) => slots.find((count) => count >= sentences) ?? slots.at(-1),
    graph(count) {
      graphs[count] ??= Promise.all([unpacked(packed.graphs[count]), constants]).then(([graph, of]) =>
        prepared(JSON.parse(new TextDecoder().decode(graph)), of));
      return graphs[count];
    },
  };
}

// A graph, ready to run. What depends on constants alone is computed now, once.
function prepared({ operators: names, nodes, outputs }, constants) {
  const results = new Array(nodes.length);
  const isFixed = new Array(nodes.length).fill(false);
  const steps = [];
  nodes.forEach(([operator, kind, ...given], place) => {
    const step = { place, compute: operators[names[operator]], kind, given: given.map((one) => resolved(one, place)) };
    isFixed[place] = step.given.every((one) => fixed(one));
    if (isFixed[place]) results[place] = computed(step, results, null);
    else steps.push(step);
  });
  return { steps, results, outputs: outputs.map((one) => resolved(one, nodes.length)) };

  function resolved(given, place) {
    if (Array.isArray(given)) return { list: given.map((one) => resolved(one, place)) };
    if (given === null || typeof given !== "object") return { value: given };
    if ("r" in given) return { node: place - given.r };
    if ("c" in given) return { value: constants[given.c] };
    if ("f" in given) return { value: { nan: NaN, inf: Infinity, "-inf": -Infinity }[given.f] };
    return { input: given.i };
  }

  function fixed({ list, node, input }) {
    if (list) return list.every((one) => fixed(one));
    return input === undefined && (node === undefined || isFixed[node]);
  }
}

function computed({ compute, kind, given }, results, inputs) {
  const values = given.map((one) => valueOf(one, results, inputs));
  return compute(kind, ...values);
}

function valueOf({ list, node, input, value }, results, inputs) {
  if (list) return list.map((one) => valueOf(one, results, inputs));
  if (node !== undefined) return results[node];
  return input === undefined ? value : inputs[input];
}

function run(graph, inputs) {
  const results = graph.results.slice();
  for (const step of graph.steps) results[step.place] = computed(step, results, inputs);
  return graph.outputs.map((one) => valueOf(one, results, inputs));
}

// A story and a question, as word ids, → the probability of each answer, and what the network looked at or wrote: for
// each hop a number per sentence, or null for sentences that lie outside of the network's window.
async function asked(network, sentenceLength, story, question) {
  const slots = network.slotsFor(story.length);
  const graph = await network.graph(slots);
  const seen = story.slice(-slots);
  const sentences = tensor("i", [slots + 2, sentenceLength]);
  [[], ...seen].forEach((words, row) => sentences.values.set(words, row * sentenceLength));
  sentences.values.set(question, (slots + 1) * sentenceLength);
  const stories = tensor("i", [1, slots], Float64Array.from({ length: slots }, (_, slot) => (slot < seen.length ? slot + 1 : 0)));
  const [probabilities, attention] = run(graph, [sentences, stories, tensor("i", [1], Float64Array.of(seen.length))]);
  const [, hops] = attention.shape;
  const before = new Array(story.length - seen.length).fill(null);
  const looks = Array.from({ length: hops }, (_, hop) => {
    const begin = hop * slots;
    return [...before, ...attention.values.subarray(begin, begin + seen.length)];
  });
  return { probabilities: probabilities.values, looks };
}
