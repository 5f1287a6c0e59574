// Plots in SVG, drawn to the width of the place where they stand.

function svg(name, attributes = {}, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, children);
}

function title(text) {
  return svg("title", {}, text);
}

// numbers at which an axis is marked
function ticks(low, high, log, marks) {
  const within = (all) => all.filter((tick) => tick >= low && tick <= high);
  if (marks) {
    const all = within(marks);
    return all.length > 7 ? all.filter((_, place) => place % 2 === 0) : all;
  }
  if (log) {
    const digits = high / low > 300 ? [1] : high / low > 4 ? [1, 2, 5] : [1, 2, 3, 4, 5, 6, 8];
    const powers = [...Array(13).keys()].map((power) => 10 ** (power - 1));
    return within(powers.flatMap((power) => digits.map((digit) => digit * power)));
  }
  const step = [1, 2, 5, 10, 20, 25, 50, 100, 200, 500].find((one) => (high - low) / one <= 6) ?? high - low;
  const all = [];
  for (let tick = Math.ceil(low / step) * step; tick <= high; tick += step) all.push(tick);
  return all;
}

function scale(low, high, from, to, log) {
  const place = log ? Math.log : (value) => value;
  return (value) => from + ((place(value) - place(low)) / (place(high) - place(low))) * (to - from);
}

// what opens something when it is clicked, or when a key is pressed on it
function opener(open, says, ...children) {
  const press = (event) => {
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      open();
    }
  };
  return svg("g", { tabindex: 0, role: "button", "aria-label": says, onclick: open, onkeydown: press }, title(says), children);
}

function frame(width, height, label, children) {
  return svg("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "group", "aria-label": label }, children);
}

const round = (value) => Math.round(value * 10) / 10;

/* points: {x, y, name, says, look, open}; axes: {title, low, high, log, show} */
function scatter(width, height, label, axisX, axisY, points, diagonal) {
  const [left, right, top, bottom] = [44, width - 12, 12, height - 40];
  const x = scale(axisX.low, axisX.high, left, right, axisX.log);
  const y = scale(axisY.low, axisY.high, bottom, top, axisY.log);
  const parts = [];
  let free = -Infinity; // where the number of the last tick ends
  for (const tick of ticks(axisX.low, axisX.high, axisX.log, axisX.marks)) {
    parts.push(svg("line", { class: "grid", x1: x(tick), x2: x(tick), y1: top, y2: bottom }));
    const half = axisX.show(tick).length * 3.7;
    if (x(tick) - half < free) continue;
    parts.push(svg("text", { class: "tick", x: x(tick), y: bottom + 16, "text-anchor": "middle" }, axisX.show(tick)));
    free = x(tick) + half;
  }
  for (const tick of ticks(axisY.low, axisY.high, axisY.log)) {
    parts.push(svg("line", { class: "grid", x1: left, x2: right, y1: y(tick), y2: y(tick) }));
    parts.push(svg("text", { class: "tick", x: left - 7, y: y(tick) + 4, "text-anchor": "end" }, axisY.show(tick)));
  }
  parts.push(svg("text", { class: "quiet", x: right, y: height - 6, "text-anchor": "end" }, axisX.title));
  parts.push(svg("text", { class: "quiet", x: left + 6, y: top + 12 }, axisY.title));
  if (diagonal) {
    parts.push(svg("line", { class: "axis", x1: left, y1: bottom, x2: right, y2: top }));
    parts.push(svg("text", { class: "quiet", x: right - 6, y: bottom - 8, "text-anchor": "end" }, diagonal));
  }
  const taken = points.map((point) => [x(point.x) - 5, y(point.y) - 5, 10, 10]);
  for (const point of points) {
    const [px, py] = [x(point.x), y(point.y)];
    const dot = svg("circle", { class: point.look ?? "dot", cx: round(px), cy: round(py), r: 5 });
    const hit = svg("circle", { class: "hit", cx: round(px), cy: round(py), r: 12 }); // large enough to be pressed
    parts.push(opener(point.open, point.says, hit, dot, nameOf(point.name, px, py, taken, [left, right, top, bottom])));
  }
  return frame(width, height, label, parts);
}

// the name of a point where it covers no other and leaves the plot nowhere, or not at all
function nameOf(name, px, py, taken, [left, right, top, bottom]) {
  const [wide, high] = [name.length * 7.2, 13];
  const around = [
    { x: px + 8, y: py - 7, anchor: "start" }, { x: px - 8 - wide, y: py - 7, anchor: "end" },
    { x: px - wide / 2, y: py - 20, anchor: "middle" }, { x: px - wide / 2, y: py + 8, anchor: "middle" }];
  const free = around.find((at) =>
    at.x >= left && at.x + wide <= right && at.y >= top && at.y + high <= bottom &&
    taken.every(([tx, ty, tw, th]) => at.x + wide < tx || tx + tw < at.x || at.y + high < ty || ty + th < at.y));
  if (!free) return null;
  taken.push([free.x, free.y, wide, high]);
  const from = { start: free.x, middle: px, end: px - 8 }[free.anchor]; // letters are of more than one width
  return svg("text", { x: round(from), y: round(free.y + 10.5), "text-anchor": free.anchor }, name);
}

/* a line for each of lines: {name, values, selected, paper, says, open} */
function strips(width, label, lines, low, high) {
  const step = 26; // a line less two is what can be pressed
  const left = Math.min(250, Math.max(...lines.map((line) => line.name.length)) * 7 + 12, width * 0.5);
  const [right, top] = [width - 14, 20];
  const height = top + step * lines.length + 6;
  const x = scale(low, high, left, right);
  const parts = [];
  for (const tick of ticks(low, high)) {
    parts.push(svg("line", { class: "grid", x1: x(tick), x2: x(tick), y1: top, y2: height }));
    parts.push(svg("text", { class: "tick", x: x(tick), y: 12, "text-anchor": "middle" }, `${tick} %`));
  }
  lines.forEach((line, place) => {
    const y = top + step * (place + 0.5);
    const most = Math.floor((left - 8) / 6.8);
    const name = line.name.length > most ? `${line.name.slice(0, most - 1)}…` : line.name;
    const dots = line.values.map((value, restart) =>
      restart === line.selected ? null : svg("circle", { class: "faint", cx: round(x(value)), cy: y, r: 4 }));
    const paper = line.paper == null ? null : svg("path", { class: "paper", d: `M${round(x(line.paper))} ${y - 8}v16` });
    const best = svg("circle", { class: "dot", cx: round(x(line.values[line.selected])), cy: y, r: 5.5 });
    const hit = svg("rect", { class: "hit", x: 0, y: y - step / 2 + 1, width: width - 1, height: step - 2, rx: 4 });
    parts.push(opener(line.open, line.says, hit, svg("text", { x: 4, y: y + 4 }, name), dots, paper, best));
  });
  return frame(width, height, label, parts);
}

/* validation error of every restart, epoch by epoch */
function curves(width, label, curve, selected, best) {
  const [height, left, right, top, bottom] = [220, 40, width - 12, 10, 180];
  const last = curve.epochs[curve.epochs.length - 1];
  const high = Math.max(5, ...curve.valid.flat());
  const [x, y] = [scale(Math.min(1, last - 1), last, left, right), scale(0, high, bottom, top)];
  const parts = [];
  for (const tick of ticks(0, high)) {
    parts.push(svg("line", { class: "grid", x1: left, x2: right, y1: y(tick), y2: y(tick) }));
    parts.push(svg("text", { class: "tick", x: left - 6, y: y(tick) + 4, "text-anchor": "end" }, `${tick}`));
  }
  for (const tick of ticks(1, last)) {
    parts.push(svg("text", { class: "tick", x: x(tick), y: bottom + 16, "text-anchor": "middle" }, `${tick}`));
  }
  parts.push(svg("text", { class: "quiet", x: right, y: height - 6, "text-anchor": "end" }, "epoch"));
  const order = curve.valid.map((_, restart) => restart).filter((restart) => restart !== selected);
  for (const restart of [...order, selected]) {
    const points = curve.valid[restart].map((error, place) => [curve.epochs[place], error]).filter(([, error]) => error != null);
    const path = points.map(([epoch, error]) => `${round(x(epoch))} ${round(y(error))}`).join("L");
    parts.push(svg("path", { class: restart === selected ? "line" : "faintline", d: `M${path}` }));
  }
  parts.push(svg("line", { class: "axis", x1: x(best), x2: x(best), y1: top, y2: bottom, "stroke-dasharray": "3 3" }, title(`epoch ${best}`)));
  return frame(width, height, label, parts);
}

/* a bar for each of lines: {name, value}; to the left of the middle where the value is below zero */
function bars(width, label, lines, ends) {
  const [step, top, left, right] = [19, 22, Math.min(190, width * 0.42), width - 40];
  const most = Math.max(1, ...lines.map((line) => Math.abs(line.value)));
  const x = scale(-most, most, left + 36, right);
  const height = top + step * lines.length + 4;
  const parts = [
    svg("text", { class: "quiet", x: x(0) - 8, y: 12, "text-anchor": "end" }, `← ${ends[0]}`),
    svg("text", { class: "quiet", x: x(0) + 8, y: 12 }, `${ends[1]} →`),
    svg("line", { class: "axis", x1: x(0), x2: x(0), y1: top - 4, y2: height }),
  ];
  lines.forEach((line, place) => {
    const y = top + step * place;
    const [from, to] = [Math.min(x(0), x(line.value)), Math.max(x(0), x(line.value))];
    const most = Math.floor((left - 8) / 6.8);
    const name = line.name.length > most ? `${line.name.slice(0, most - 1)}…` : line.name;
    parts.push(svg("text", { x: 4, y: y + 11 }, name));
    parts.push(svg("rect", { class: line.value < 0 ? "bar" : "bar less", x: round(from), y: y + 1, width: round(to - from), height: step - 6 }));
    const anchor = line.value < 0 ? { x: round(from - 5), "text-anchor": "end" } : { x: round(to + 5) };
    parts.push(svg("text", { class: "quiet", ...anchor, y: y + 11 }, number(Math.abs(line.value))));
  });
  return frame(width, height, label, parts);
}
