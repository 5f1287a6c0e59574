// What PyTorch's core operators compute. The key of each is its name in a graph; the first argument is the kind of the
// result, the others are those of the operator's schema (without dtype and device, which a graph leaves out).

const sum = (x, y) => x + y;
const modulo = (x, y) => x - Math.floor(x / y) * y;
const sigmoid = (x) => 1 / (1 + Math.exp(-x));
const roundHalfToEven = (x) => (Math.abs(x % 1) === 0.5 ? 2 * Math.round(x / 2) : Math.round(x));

const operators = {
  // number by number
  "abs": (kind, a) => map(kind, a, Math.abs),
  "alias": (_, a) => a,
  "bitwise_not": (kind, a) => map(kind, a, kind === "b" ? (x) => 1 - x : (x) => ~x),
  "ceil": (kind, a) => map(kind, a, Math.ceil),
  "clone": (_, a) => a,
  "cos": (kind, a) => map(kind, a, Math.cos),
  "erf": (kind, a) => map(kind, a, erf),
  "exp": (kind, a) => map(kind, a, Math.exp),
  "expm1": (kind, a) => map(kind, a, Math.expm1),
  "floor": (kind, a) => map(kind, a, Math.floor),
  "isinf": (kind, a) => map(kind, a, (x) => x === Infinity || x === -Infinity),
  "isnan": (kind, a) => map(kind, a, Number.isNaN),
  "log": (kind, a) => map(kind, a, Math.log),
  "log1p": (kind, a) => map(kind, a, Math.log1p),
  "logical_not": (kind, a) => map(kind, a, (x) => !x),
  "neg": (kind, a) => map(kind, a, (x) => -x),
  "reciprocal": (kind, a) => map(kind, a, (x) => 1 / x),
  "relu": (kind, a) => map(kind, a, (x) => (x < 0 ? 0 : x)),
  "round": (kind, a) => map(kind, a, roundHalfToEven),
  "rsqrt": (kind, a) => map(kind, a, (x) => 1 / Math.sqrt(x)),
  "sigmoid": (kind, a) => map(kind, a, sigmoid),
  "sign": (kind, a) => map(kind, a, Math.sign),
  "sin": (kind, a) => map(kind, a, Math.sin),
  "sqrt": (kind, a) => map(kind, a, Math.sqrt),
  "tanh": (kind, a) => map(kind, a, Math.tanh),
  "_to_copy": (kind, a) => map(kind, a, kind === "b" ? (x) => x !== 0 : kind === "i" ? Math.trunc : (x) => x),
  "clamp": (kind, a, low, high) => map(kind, a, (x) => (x < low && low !== null ? low : x > high && high !== null ? high : x)),
  "elu": (kind, a, alpha, scale, input) => map(kind, a, (x) => scale * (x > 0 ? x : alpha * Math.expm1(input * x))),
  "gelu": (kind, a, form) => map(kind, a, form === "tanh" ? geluByTanh : (x) => (x * (1 + erf(x / Math.SQRT2))) / 2),
  "hardtanh": (kind, a, low, high) => map(kind, a, (x) => Math.min(high, Math.max(low, x))),
  "lift_fresh_copy": (_, a) => a,
  "leaky_relu": (kind, a, slope) => map(kind, a, (x) => (x > 0 ? x : slope * x)),

  // two at a time
  "add.Tensor": (kind, a, b, alpha) => (alpha === 1 ? combine(kind, a, b, sum) : combine(kind, a, b, (x, y) => x + alpha * y)),
  "bitwise_and.Scalar": (kind, a, b) => combine(kind, a, b, (x, y) => x & y),
  "bitwise_and.Tensor": (kind, a, b) => combine(kind, a, b, (x, y) => x & y),
  "bitwise_or.Scalar": (kind, a, b) => combine(kind, a, b, (x, y) => x | y),
  "bitwise_or.Tensor": (kind, a, b) => combine(kind, a, b, (x, y) => x | y),
  "bitwise_xor.Scalar": (kind, a, b) => combine(kind, a, b, (x, y) => x ^ y),
  "bitwise_xor.Tensor": (kind, a, b) => combine(kind, a, b, (x, y) => x ^ y),
  "div.Tensor": (kind, a, b) => combine(kind, a, b, (x, y) => x / y),
  "div.Tensor_mode": (kind, a, b, mode) => combine(kind, a, b, (x, y) => (mode === "floor" ? Math.floor(x / y) : Math.trunc(x / y))),
  "eq.Scalar": (kind, a, b) => combine(kind, a, b, (x, y) => x === y),
  "eq.Tensor": (kind, a, b) => combine(kind, a, b, (x, y) => x === y),
  "fmod.Scalar": (kind, a, b) => combine(kind, a, b, (x, y) => x % y),
  "ge.Scalar": (kind, a, b) => combine(kind, a, b, (x, y) => x >= y),
  "ge.Tensor": (kind, a, b) => combine(kind, a, b, (x, y) => x >= y),
  "gt.Scalar": (kind, a, b) => combine(kind, a, b, (x, y) => x > y),
  "gt.Tensor": (kind, a, b) => combine(kind, a, b, (x, y) => x > y),
  "le.Scalar": (kind, a, b) => combine(kind, a, b, (x, y) => x <= y),
  "le.Tensor": (kind, a, b) => combine(kind, a, b, (x, y) => x <= y),
  "logical_and": (kind, a, b) => combine(kind, a, b, (x, y) => x !== 0 && y !== 0),
  "logical_or": (kind, a, b) => combine(kind, a, b, (x, y) => x !== 0 || y !== 0),
  "logical_xor": (kind, a, b) => combine(kind, a, b, (x, y) => (x !== 0) !== (y !== 0)),
  "lt.Scalar": (kind, a, b) => combine(kind, a, b, (x, y) => x < y),
  "lt.Tensor": (kind, a, b) => combine(kind, a, b, (x, y) => x < y),
  "maximum": (kind, a, b) => combine(kind, a, b, Math.max),
  "minimum": (kind, a, b) => combine(kind, a, b, Math.min),
  "mul.Tensor": (kind, a, b) => combine(kind, a, b, (x, y) => x * y),
  "ne.Scalar": (kind, a, b) => combine(kind, a, b, (x, y) => x !== y),
  "ne.Tensor": (kind, a, b) => combine(kind, a, b, (x, y) => x !== y),
  "pow.Scalar": (kind, a, b) => combine(kind, a, b, Math.pow),
  "pow.Tensor_Scalar": (kind, a, b) => (b === 2 ? map(kind, a, (x) => x * x) : combine(kind, a, b, Math.pow)),
  "pow.Tensor_Tensor": (kind, a, b) => combine(kind, a, b, Math.pow),
  "remainder.Scalar": (kind, a, b) => combine(kind, a, b, modulo),
  "remainder.Tensor": (kind, a, b) => combine(kind, a, b, modulo),
  "sub.Tensor": (kind, a, b, alpha) => combine(kind, a, b, (x, y) => x - alpha * y),
  "where.self": choose,

  // new tensors
  "arange.start_step": (kind, start, end, step) => {
    const result = tensor(kind, [Math.max(0, Math.ceil((end - start) / step))]);
    return tensor(kind, result.shape, result.values.map((_, place) => start + place * step));
  },
  "full": (kind, shape, value) => filled(kind, shape, value),
  "full_like": (kind, a, value) => filled(kind, a.shape, value),
  "scalar_tensor": (kind, value) => filled(kind, [], value),

  // the same numbers in another order or shape
  "expand": (kind, a, sizes) => {
    const before = sizes.length - a.shape.length;
    const shape = sizes.map((size, axis) => (size === -1 ? a.shape[axis - before] : size));
    return sameShape(shape, a.shape) ? a : gather(kind, a, shape, offsets(shape, stretched(a.shape, shape)));
  },
  "flip": (kind, a, axes) => {
    const strides = stridesOf(a.shape);
    let start = 0;
    for (const axis of axes.map((one) => axisOf(one, a.shape.length))) {
      start += strides[axis] * (a.shape[axis] - 1);
      strides[axis] = -strides[axis];
    }
    return gather(kind, a, a.shape, offsets(a.shape, strides, start));
  },
  "permute": (kind, a, axes) => {
    const order = axes.map((axis) => axisOf(axis, a.shape.length));
    const strides = stridesOf(a.shape);
    const shape = order.map((axis) => a.shape[axis]);
    return gather(kind, a, shape, offsets(shape, order.map((axis) => strides[axis])));
  },
  "repeat": (kind, a, times) => {
    const from = [...new Array(times.length - a.shape.length).fill(1), ...a.shape];
    const strides = stridesOf(from);
    // each axis as two: which copy, and the place in it
    const table = offsets(from.flatMap((size, axis) => [times[axis], size]), strides.flatMap((stride) => [0, stride]));
    return gather(kind, a, from.map((size, axis) => size * times[axis]), table);
  },
  "select.int": (kind, a, axis, index) => {
    const along = axisOf(axis, a.shape.length);
    const place = axisOf(index, a.shape[along]);
    return tensor(kind, without(a.shape, [along], false), slice(kind, a, along, place, place + 1, 1).values);
  },
  "slice.Tensor": slice,
  "split_with_sizes": (kind, a, sizes, axis) => {
    let end = 0;
    return sizes.map((size) => slice(kind, a, axis, end, (end += size), 1));
  },
  "squeeze.dims": (kind, a, axes) => {
    const gone = axes.map((axis) => axisOf(axis, a.shape.length)).filter((axis) => a.shape[axis] === 1);
    return tensor(kind, without(a.shape, gone, false), a.values);
  },
  "unsqueeze": (kind, a, axis) => tensor(kind, a.shape.toSpliced(axisOf(axis, a.shape.length + 1), 0, 1), a.values),
  "view": (kind, a, sizes) => {
    const rest = a.values.length / -sizeOf(sizes);
    return tensor(kind, sizes.map((size) => (size === -1 ? rest : size)), a.values);
  },

  // several tensors as one, one as several
  "cat": (kind, parts, axis) => {
    const some = parts.filter((part) => !sameShape(part.shape, [0]));
    const along = axisOf(axis, some[0].shape.length);
    const shape = [...some[0].shape];
    shape[along] = some.reduce((total, part) => total + part.shape[along], 0);
    const result = tensor(kind, shape);
    const [before, , behind] = around(shape, along);
    let begin = 0;
    for (const part of some) {
      const width = part.shape[along] * behind;
      for (let outer = 0; outer < before; outer++) {
        result.values.set(part.values.subarray(outer * width, (outer + 1) * width), outer * shape[along] * behind + begin);
      }
      begin += width;
    }
    return result;
  },
  "constant_pad_nd": (kind, a, pads, value) => {
    const low = a.shape.map(() => 0);
    const shape = [...a.shape];
    for (let pair = 0; 2 * pair < pads.length; pair++) {
      const axis = shape.length - 1 - pair; // the last axis comes first
      low[axis] = pads[2 * pair];
      shape[axis] += pads[2 * pair] + pads[2 * pair + 1];
    }
    // what is cut off, where a pad is negative, and what is kept
    const inside = a.shape.map((size, axis) => [Math.max(0, -low[axis]), Math.min(size, shape[axis] - low[axis])]);
    const kept = inside.reduce((part, [begin, end], axis) => slice(kind, part, axis, begin, end, 1), a);
    const strides = stridesOf(shape);
    const start = strides.reduce((at, stride, axis) => at + stride * Math.max(0, low[axis]), 0);
    const result = filled(kind, shape, value);
    offsets(kept.shape, strides, start).forEach((place, entry) => { result.values[place] = kept.values[entry]; });
    return result;
  },
  "getitem": (_, parts, place) => parts[place],

  // picking and putting by index
  "embedding": (kind, table, index) => rowsOf(kind, table, index),
  "gather": (kind, a, axis, index) => gather(kind, a, index.shape, pointed(a.shape, axis, index)),
  "index.Tensor": (kind, a, indices) => {
    const first = indices.findIndex((index) => index !== null);
    const given = indices.filter((index) => index !== null);
    const adjacent = indices.slice(first, first + given.length).every((index) => index !== null);
    const picked = broadcast(...given.map((index) => index.shape));
    const strides = stridesOf(a.shape);
    const at = new Float64Array(sizeOf(picked));
    given.forEach((index) => {
      const axis = indices.indexOf(index);
      valuesAs(index, picked).forEach((value, entry) => { at[entry] += axisOf(value, a.shape[axis]) * strides[axis]; });
    });
    const axes = a.shape.map((_, axis) => axis).filter((axis) => (indices[axis] ?? null) === null);
    const [before, behind] = adjacent ? [axes.filter((axis) => axis < first), axes.filter((axis) => axis > first)] : [[], axes];
    const [outer, inner] = [before, behind].map((some) => offsets(some.map((axis) => a.shape[axis]), some.map((axis) => strides[axis])));
    const shape = [...before.map((axis) => a.shape[axis]), ...picked, ...behind.map((axis) => a.shape[axis])];
    const table = Array.from(outer, (x) => Array.from(at, (y) => Array.from(inner, (z) => x + y + z))).flat(2);
    return gather(kind, a, shape, table);
  },
  "index_select": (kind, a, axis, index) => {
    const along = axisOf(axis, a.shape.length);
    const shape = a.shape.with(along, index.values.length);
    const line = tensor("i", shape.map((size, at) => (at === along ? size : 1)), index.values);
    return gather(kind, a, shape, pointed(a.shape, axis, tensor("i", shape, valuesAs(line, shape))));
  },
  "scatter.src": (kind, a, axis, index, source) => put(kind, a, axis, index, source, (_, value) => value),
  "scatter.value": (kind, a, axis, index, value) => put(kind, a, axis, index, value, () => value),
  "scatter_add": (kind, a, axis, index, source) => put(kind, a, axis, index, source, sum),

  // sums and the like
  "amax": (kind, a, axes, keep) => reduce(kind, a, axes, keep, -Infinity, Math.max),
  "amin": (kind, a, axes, keep) => reduce(kind, a, axes, keep, Infinity, Math.min),
  "any": (kind, a) => reduce(kind, a, null, false, 0, (any, x) => any || x !== 0),
  "any.dim": (kind, a, axis, keep) => reduce(kind, a, [axis], keep, 0, (any, x) => any || x !== 0),
  "any.dims": (kind, a, axes, keep) => reduce(kind, a, axes, keep, 0, (any, x) => any || x !== 0),
  "argmax": (kind, a, axis, keep) => best(kind, a, axis, keep, (x, y) => x > y)[1],
  "argmin": (kind, a, axis, keep) => best(kind, a, axis, keep, (x, y) => x < y)[1],
  "max.dim": (kind, a, axis, keep) => best(kind, a, axis, keep, (x, y) => x > y),
  "mean": (kind, a) => reduce(kind, a, null, false, 0, (total, x) => total + x / a.values.length),
  "mean.dim": (kind, a, axes, keep) => {
    const total = reduce(kind, a, axes, keep, 0, sum);
    const count = a.values.length / total.values.length;
    return map(kind, total, (x) => x / count);
  },
  "min.dim": (kind, a, axis, keep) => best(kind, a, axis, keep, (x, y) => x < y),
  "prod.dim_int": (kind, a, axis, keep) => reduce(kind, a, [axis], keep, 1, (product, x) => product * x),
  "sum.dim_IntList": (kind, a, axes, keep) => reduce(kind, a, axes, keep, 0, sum),
  "var.correction": (kind, a, axes, correction, keep) => {
    const total = reduce("f", a, axes, true, 0, sum);
    const count = a.values.length / total.values.length;
    const apart = combine("f", a, total, (x, y) => (x - y / count) ** 2);
    return map(kind, reduce(kind, apart, axes, keep, 0, sum), (x) => x / Math.max(0, count - (correction ?? 1)));
  },
  "linalg_vector_norm": (kind, a, order, axes, keep) => {
    if (order === 2) return map(kind, reduce(kind, a, axes, keep, 0, (total, x) => total + x * x), Math.sqrt);
    if (order === 1) return reduce(kind, a, axes, keep, 0, (total, x) => total + Math.abs(x));
    throw Error(`linalg_vector_norm of order ${order}`);
  },

  // along an axis
  "cumprod": (kind, a, axis) => running(kind, a, axis, (product, x) => product * x),
  "cumsum": (kind, a, axis) => running(kind, a, axis, sum),
  "_log_softmax": (kind, a, axis) => softmax(kind, a, axis, true),
  "_softmax": (kind, a, axis) => softmax(kind, a, axis, false),
  "sort": (kind, a, axis, descending) => {
    const result = [tensor(kind, a.shape), tensor("i", a.shape)];
    alongLines(a.shape, axis, (begin, stride, length) => {
      const line = Array.from({ length }, (_, place) => place);
      const value = (place) => a.values[begin + place * stride];
      line.sort((x, y) => (descending ? value(y) - value(x) : value(x) - value(y)));
      line.forEach((from, place) => {
        result[0].values[begin + place * stride] = value(from);
        result[1].values[begin + place * stride] = from;
      });
    });
    return result;
  },
  "sort.stable": (kind, a, _, axis, descending) => operators.sort(kind, a, axis, descending),
  "topk": (kind, a, count, axis) => {
    const sorted = operators.sort(kind, a, axis, true);
    return [slice(kind, sorted[0], axis, 0, count, 1), slice("i", sorted[1], axis, 0, count, 1)];
  },

  // matrices
  "addmm": (kind, c, a, b, beta, alpha) => combine(kind, c, matmul(a, b), (x, y) => beta * x + alpha * y),
  "bmm": (_, a, b) => matmul(a, b),
  "linalg_solve_triangular": solved,
  "mm": (_, a, b) => matmul(a, b),
  "native_layer_norm": (kind, a, normalized, weight, bias, epsilon) => {
    const width = sizeOf(normalized);
    const result = tensor(kind, a.shape);
    for (let begin = 0; begin < a.values.length; begin += width) {
      const line = a.values.subarray(begin, begin + width);
      const mean = line.reduce(sum, 0) / width;
      const scale = 1 / Math.sqrt(line.reduce((total, x) => total + (x - mean) ** 2, 0) / width + epsilon);
      line.forEach((x, place) => {
        result.values[begin + place] = (x - mean) * scale * (weight ? weight.values[place] : 1) + (bias ? bias.values[place] : 0);
      });
    }
    return [result];
  },
};

function filled(kind, shape, value) {
  const result = tensor(kind, shape);
  result.values.fill(Number(value));
  return result;
}

function choose(kind, condition, a, b) {
  const shape = broadcast(condition.shape, shapeOf(a), shapeOf(b));
  const [yes, x, y] = [condition, a, b].map((one) => valuesAs(one, shape));
  const result = tensor(kind, shape);
  for (let entry = 0; entry < yes.length; entry++) result.values[entry] = yes[entry] ? x[entry] : y[entry];
  return result;
}

function slice(kind, a, axis, begin, end, step) {
  const along = axisOf(axis, a.shape.length);
  const size = a.shape[along];
  const [first, last] = [begin ?? 0, end ?? size].map((place) => Math.min(size, Math.max(0, axisOf(place, size))));
  const shape = [...a.shape];
  shape[along] = Math.max(0, Math.ceil((last - first) / step));
  if (sameShape(shape, a.shape)) return a;
  const strides = stridesOf(a.shape);
  const start = first * strides[along];
  const isOneRun = step === 1 && sizeOf(a.shape.slice(0, along)) === 1;
  if (isOneRun) return tensor(kind, shape, a.values.subarray(start, start + sizeOf(shape))); // nothing is ever changed in place
  strides[along] *= step;
  return gather(kind, a, shape, offsets(shape, strides, start));
}

// x of a x = b, a triangular
function solved(kind, a, b, isUpper, isLeft, hasUnits) {
  const [n, k] = b.shape.slice(-2);
  if (!isLeft || !sameShape(a.shape.slice(0, -2), b.shape.slice(0, -2))) throw Error("linalg_solve_triangular of another form");
  const x = Float64Array.from(b.values);
  for (let batch = 0; batch < x.length / (n * k); batch++) {
    const [matrix, begin] = [batch * n * n, batch * n * k];
    for (let step = 0; step < n; step++) {
      const row = isUpper ? n - 1 - step : step;
      for (let before = 0; before < step; before++) {
        const known = isUpper ? n - 1 - before : before;
        const weight = a.values[matrix + row * n + known];
        for (let column = 0; column < k; column++) x[begin + row * k + column] -= weight * x[begin + known * k + column];
      }
      const scale = hasUnits ? 1 : a.values[matrix + row * n + row];
      for (let column = 0; column < k; column++) x[begin + row * k + column] /= scale;
    }
  }
  return tensor(kind, b.shape, Float32Array.from(x));
}

function rowsOf(kind, table, index) {
  const [, width] = table.shape;
  const result = tensor(kind, [...index.shape, width]);
  index.values.forEach((row, place) => result.values.set(table.values.subarray(row * width, (row + 1) * width), place * width));
  return result;
}

function put(kind, a, axis, index, source, fold) {
  const result = tensor(kind, a.shape, a.values.slice());
  // of the source only the part is used that the index covers
  const part = typeof source === "object" ? index.shape.reduce((rest, size, at) => slice(rest.kind, rest, at, 0, size, 1), source) : null;
  pointed(a.shape, axis, index).forEach((place, entry) => {
    result.values[place] = fold(result.values[place], part?.values[entry]);
  });
  return result;
}

// the best of every line along an axis, the first of equals; and its place. A number that is none is better than any
function best(kind, a, axis, keep, better) {
  const flat = axis == null ? tensor(a.kind, [a.values.length], a.values) : a;
  const along = axisOf(axis ?? 0, flat.shape.length);
  const shape = axis == null && keep ? a.shape.map(() => 1) : without(flat.shape, [along], keep);
  const result = [tensor(kind, shape), tensor("i", shape)];
  alongLines(flat.shape, along, (begin, stride, length, line) => {
    let at = 0;
    for (let place = 1; place < length; place++) {
      const [x, y] = [flat.values[begin + place * stride], flat.values[begin + at * stride]];
      if (better(x, y) || (Number.isNaN(x) && !Number.isNaN(y))) at = place;
    }
    result[0].values[line] = flat.values[begin + at * stride];
    result[1].values[line] = at;
  });
  return result;
}

function running(kind, a, axis, fold) {
  const result = tensor(kind, a.shape);
  alongLines(a.shape, axis, (begin, stride, length) => {
    let folded = a.values[begin];
    result.values[begin] = folded;
    for (let place = 1; place < length; place++) {
      folded = fold(folded, a.values[begin + place * stride]);
      result.values[begin + place * stride] = folded;
    }
  });
  return result;
}

function softmax(kind, a, axis, logarithm) {
  const result = tensor(kind, a.shape);
  alongLines(a.shape, axis, (begin, stride, length) => {
    let [most, total] = [-Infinity, 0];
    for (let place = 0; place < length; place++) most = Math.max(most, a.values[begin + place * stride]);
    for (let place = 0; place < length; place++) total += Math.exp(a.values[begin + place * stride] - most);
    for (let place = 0; place < length; place++) {
      const x = a.values[begin + place * stride] - most;
      result.values[begin + place * stride] = logarithm ? x - Math.log(total) : Math.exp(x) / total;
    }
  });
  return result;
}

// the error function, to seven digits: Abramowitz and Stegun, 7.1.26
function erf(x) {
  const t = 1 / (1 + 0.3275911 * Math.abs(x));
  const tail = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
  return Math.sign(x) * (1 - tail * Math.exp(-x * x));
}

function geluByTanh(x) {
  return (x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)))) / 2;
}
