"use strict";
// What every page uses: its data, elements, numbers, grounds, colours.

const data = JSON.parse(document.getElementById("data").textContent);
const NONE = "–";

function el(name, attributes = {}, ...children) {
  return fill(document.createElement(name), attributes, children);
}

function fill(node, attributes, children) {
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (key === "style") node.style.cssText = value ?? ""; // an attribute is refused by the page's policy
    else if (value != null && value !== false) node.setAttribute(key, value === true ? "" : value);
  }
  node.append(...children.flat(Infinity).filter((child) => child != null));
  return node;
}

function number(value, places = 1) {
  return value == null ? NONE : value.toFixed(places);
}

function thousands(value) {
  return value.toLocaleString("en");
}

function plural(count, word) {
  return `${count} ${word}${count === 1 ? "" : "s"}`;
}

// a ground whose depth tells a share, in percent
function heat(share) {
  const depth = Math.round(Math.max(0, Math.min(100, share)));
  return { style: `--share:${depth}`, class: depth > 70 ? "heat strong" : "heat" };
}

// a name that breaks at its underscores and nowhere else
function breaking(name) {
  return name.split("_").flatMap((part, place) => (place ? ["_", el("wbr"), part] : [part]));
}

function drawTheme(theme = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light") {
  const dark = theme === "dark";
  document.documentElement.style.colorScheme = theme;
  const button = document.getElementById("theme");
  button.textContent = dark ? "Light" : "Dark";
  button.setAttribute("aria-label", dark ? "Light colours" : "Dark colours");
  button.onclick = () => drawTheme(dark ? "light" : "dark");
}
