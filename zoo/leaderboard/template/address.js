// The address holds what is chosen, so that a link leads to the same filter, record, cell or story.

const KEYS = { text: "models", record: "record", recordTask: "cell", lookRow: "row", lookTask: "look", lookStory: "story", at: "at" };

function addressOf() {
  const parts = new URLSearchParams();
  for (const name of filters) if (current && current[name] !== data.tables[0][name]) parts.set(name, current[name]);
  for (const [name, key] of Object.entries(KEYS)) if (chosen[name]) parts.set(key, chosen[name]);
  return parts.toString();
}

function writeAddress() {
  const text = `#${addressOf()}`;
  if (text !== (location.hash || "#")) history.replaceState(null, "", text);
}

// Choose what an address says; what it says of data that are not here is passed over.
function readAddress() {
  const text = location.hash.slice(1);
  const parts = new URLSearchParams(text.includes("=") ? text : { at: text });
  const wanted = (name) => parts.get(name) ?? data.tables[0]?.[name];
  current = data.tables.find((one) => filters.every((name) => one[name] === wanted(name))) ?? data.tables[0];
  for (const [name, key] of Object.entries(KEYS)) chosen[name] = parts.get(key) ?? (name === "text" ? "" : null);
  document.getElementById("text").value = chosen.text;
  drawFilters();
  draw();
  const rows = [...data.tables.flatMap((one) => one.rows), ...data.sheets.flatMap((sheet) => Object.values(sheet.rows))];
  const row = rows.find((one) => one.record.name === chosen.record);
  if (row) openRecord(row, chosen.recordTask);
  else dialog.close();
  document.getElementById(chosen.at ?? "")?.scrollIntoView();
}

// a link to a section goes there, and keeps what else is chosen
function goTo(event) {
  const target = event.target.closest?.("a[href^='#']:not(.skip)")?.hash.slice(1);
  if (!target) return;
  event.preventDefault();
  chosen.at = target;
  document.getElementById(target)?.scrollIntoView();
  writeAddress();
}
