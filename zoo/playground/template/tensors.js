// Tensors: {shape, kind, values}, row by row and without gaps. A kind is f (floats), i (integers) or b (truth values).

const ARRAYS = { f: Float32Array, i: Float64Array, b: Uint8Array }; // integers up to 2 ** 53: some models hash words

function tensor(kind, shape, values = new ARRAYS[kind](sizeOf(shape))) {
  return { kind, shape, values };
}

function sizeOf(shape) {
  return shape.reduce((product, size) => product * size, 1);
}

function stridesOf(shape) {
  const strides = new Array(shape.length);
  let stride = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    strides[axis] = stride;
    stride *= shape[axis];
  }
  return strides;
}

// the number of an axis; negative ones count from the end
function axisOf(axis, axes) {
  return axis < 0 ? axis + axes : axis;
}

function sameShape(a, b) {
  return a.length === b.length && a.every((size, axis) => size === b[axis]);
}

function broadcast(...shapes) {
  const axes = Math.max(...shapes.map((shape) => shape.length));
  return Array.from({ length: axes }, (_, axis) => {
    const sizes = shapes.map((shape) => shape[axis - axes + shape.length] ?? 1);
    return sizes.find((size) => size !== 1) ?? 1;
  });
}

// For each entry of a tensor of some shape, in order: start + the sum of its place on every axis times that stride.
// A graph asks for few different tables, but for each of them again and again.
const known = new Map();

function offsets(shape, strides, start = 0) {
  const key = `${shape}/${strides}/${start}`;
  let table = known.get(key);
  if (!table) known.set(key, (table = walk(shape, strides, start)));
  return table;
}

function walk(shape, strides, start) {
  const table = new Int32Array(sizeOf(shape));
  const place = new Array(shape.length).fill(0);
  let offset = start;
  for (let entry = 0; entry < table.length; entry++) {
    table[entry] = offset;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      offset += strides[axis];
      if (++place[axis] < shape[axis]) break;
      offset -= strides[axis] * shape[axis];
      place[axis] = 0;
    }
  }
  return table;
}

// the strides with which a tensor of one shape is read as if it had another: an axis of size one stands still
function stretched(from, shape) {
  const strides = stridesOf(from);
  const before = shape.length - from.length;
  return shape.map((_, axis) => (axis < before || from[axis - before] === 1 ? 0 : strides[axis - before]));
}

function gather(kind, a, shape, table) {
  const result = tensor(kind, shape);
  for (let entry = 0; entry < table.length; entry++) result.values[entry] = a.values[table[entry]];
  return result;
}

// an array of values as if the tensor had that shape; a number stands for a tensor that holds nothing else
function valuesAs(a, shape) {
  if (typeof a !== "object") return new Float64Array(sizeOf(shape)).fill(Number(a));
  return sameShape(a.shape, shape) ? a.values : gather(a.kind, a, shape, offsets(shape, stretched(a.shape, shape))).values;
}

function shapeOf(a) {
  return typeof a === "object" ? a.shape : [];
}

function map(kind, a, compute) {
  const result = tensor(kind, a.shape);
  for (let entry = 0; entry < a.values.length; entry++) result.values[entry] = compute(a.values[entry]);
  return result;
}

function combine(kind, a, b, compute) {
  if (typeof a !== "object") return map(kind, b, (y) => compute(Number(a), y));
  if (typeof b !== "object") return map(kind, a, (x) => compute(x, Number(b)));
  const shape = broadcast(a.shape, b.shape);
  const [x, y] = [valuesAs(a, shape), valuesAs(b, shape)];
  const result = tensor(kind, shape);
  for (let entry = 0; entry < x.length; entry++) result.values[entry] = compute(x[entry], y[entry]);
  return result;
}

// entries before an axis, along it, and behind it
function around(shape, axis) {
  return [sizeOf(shape.slice(0, axis)), shape[axis], sizeOf(shape.slice(axis + 1))];
}

// a shape without some of its axes, or with size one in their place
function without(shape, axes, keep) {
  return keep ? shape.map((size, axis) => (axes.includes(axis) ? 1 : size)) : shape.filter((_, axis) => !axes.includes(axis));
}

// fold all entries along some axes (none given: all axes) into one, from `first` on
function reduce(kind, a, axes, keep, first, fold) {
  const all = a.shape.map((_, axis) => axis);
  const over = axes == null || axes.length === 0 ? all : [axes].flat().map((axis) => axisOf(axis, a.shape.length));
  const kept = without(a.shape, over, true);
  const into = offsets(a.shape, stretched(kept, a.shape));
  const folded = new Float64Array(sizeOf(kept)).fill(first);
  for (let entry = 0; entry < into.length; entry++) folded[into[entry]] = fold(folded[into[entry]], a.values[entry]);
  return tensor(kind, without(a.shape, over, keep), ARRAYS[kind].from(folded));
}

// call `visit` with every line along an axis: where it begins in the values, the stride, and how long it is
function alongLines(shape, axis, visit) {
  const [before, length, stride] = around(shape, axisOf(axis, shape.length));
  for (let outer = 0; outer < before; outer++) {
    for (let inner = 0; inner < stride; inner++) visit(outer * length * stride + inner, stride, length, outer * stride + inner);
  }
}

// for each entry of an index: the place in a tensor of that shape to which it points along an axis
function pointed(shape, axis, index) {
  const strides = stridesOf(shape);
  const along = strides[axisOf(axis, shape.length)];
  strides[axisOf(axis, shape.length)] = 0;
  const base = offsets(index.shape, strides);
  const size = shape[axisOf(axis, shape.length)];
  return index.values.map((value, entry) => base[entry] + (value < 0 ? value + size : value) * along);
}

// matrix products, (batch, n, k) times (batch, k, m)
function matmul(a, b) {
  const axes = a.shape.length;
  const [n, k, m] = [a.shape[axes - 2], a.shape[axes - 1], b.shape[axes - 1]];
  const [left, right] = [a.values, b.values];
  const result = tensor("f", [...a.shape.slice(0, -1), m]);
  const sums = new Float64Array(m);
  for (let row = 0; row < result.values.length / m; row++) {
    const matrix = Math.floor(row / n) * k * m;
    sums.fill(0);
    for (let inner = 0; inner < k; inner++) {
      const weight = left[row * k + inner];
      if (weight === 0) continue; // counts of words are mostly zero
      const from = matrix + inner * m;
      for (let column = 0; column < m; column++) sums[column] += weight * right[from + column];
    }
    result.values.set(sums, row * m);
  }
  return result;
}
