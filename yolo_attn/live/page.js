"use strict";
// The page: all sources side by side or one of them, the numbers, and what is asked of the run.
const at = id => document.getElementById(id);
const TILE_MS = 200; // between two pictures of a tile
let count = 0, shown = null, paused = false, slid = 0, answered = true;

const post = path => fetch(path, { method: "POST", headers: { "X-Yolo-Attn": "1" } });
const command = name => post(`command/${name}`);

// A name that may be broken behind what stands between its words, and nowhere else.
function write(element, name) {
  if (element.dataset.name === name) return;
  element.dataset.name = element.title = name;
  element.replaceChildren(...name.split(/(?<=[/._:?&=-])/).flatMap(part => [part, document.createElement("wbr")]));
}

function make(tag, className, ...children) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  element.append(...children);
  return element;
}

// Which source is shown stands in the address, so that it outlives a reload, and "back" leads back; -1 is all.
function wanted() {
  const number = Number(location.hash.slice(1));
  return number >= 1 && number <= count ? number - 1 : count === 1 ? 0 : -1;
}

function go(index) { location.hash = index < 0 ? "" : index + 1; }

function show() {
  if (!count || shown === wanted()) return;
  const before = shown;
  shown = wanted();
  stopDrawing();
  at("grid").hidden = shown >= 0;
  at("view").hidden = shown < 0;
  at("all").hidden = shown < 0 || count === 1;
  if (shown >= 0) at("picture").src = `picture/${shown}`;
  else {
    at("picture").removeAttribute("src"); // which ends the stream
    if (before !== null && before >= 0) at("grid").children[before]?.focus();
  }
}

// Single pictures, one after the other: a browser keeps six connections to a host, too few for a stream of each source.
function tile(index) {
  const image = make("img"), name = make("span"), button = make("button", "tile", image, make("span", "name", name));
  image.alt = "";
  const next = wait => setTimeout(() => {
    if (shown < 0 && !document.hidden) image.src = `still/${index}?${Date.now()}`;
    else next(TILE_MS);
  }, wait);
  image.onload = () => next(TILE_MS);
  image.onerror = () => next(1000);
  button.onclick = () => go(index);
  next(0);
  return button;
}

function row(index) {
  const open = make("button", "open name", make("span")), tr = make("tr", "source", make("td", "", open, make("small")));
  for (let i = 0; i < 3; i++) tr.append(make("td"));
  tr.onclick = () => go(index);
  return tr;
}

function sources(list) {
  if (count !== list.length) {
    count = list.length;
    at("grid").replaceChildren(...list.map((_, index) => tile(index)));
    at("sources").replaceChildren(...list.map((_, index) => row(index)));
  }
  show();
  list.forEach((source, index) => {
    const tr = at("sources").rows[index], button = at("grid").children[index];
    tr.className = `source ${source.state}${index === shown ? " shown" : ""}`;
    button.className = `tile ${source.state}`;
    for (const place of [tr, button]) write(place.querySelector(".name span"), source.name);
    tr.querySelector("small").textContent = source.error ? `${source.state}, ${source.error}` : source.state;
    [source.fps.toFixed(1), source.dropped, source.reconnects].forEach((text, i) => { tr.cells[i + 1].textContent = text; });
  });
}

// Fills a table in place, so that a row that is being clicked stays the same row.
function fill(id, rows) {
  const body = at(id);
  while (body.rows.length > rows.length) body.deleteRow(-1);
  rows.forEach((cells, i) => {
    const tr = body.rows[i] || body.insertRow();
    while (tr.cells.length > cells.length) tr.deleteCell(-1);
    cells.forEach((text, j) => {
      const cell = tr.cells[j] || tr.insertCell();
      if (!j) write(cell, String(text));
      else if (cell.textContent !== String(text)) cell.textContent = text;
    });
  });
  return [...body.rows];
}

// One panel for each series: its range on the left, the last two minutes from left to right.
function chart(history, every) {
  const canvas = at("chart"), scale = window.devicePixelRatio || 1;
  const width = canvas.clientWidth, height = canvas.clientHeight, style = getComputedStyle(document.documentElement);
  canvas.width = width * scale; canvas.height = height * scale;
  const pen = canvas.getContext("2d");
  pen.scale(scale, scale);
  pen.font = "10px system-ui, sans-serif"; pen.textBaseline = "middle";
  [["--fps", "fps"], ["--lag", "ms"]].forEach(([color, unit], series) => {
    const values = history.map(sample => sample[series]), most = nice(Math.max(...values, 1));
    const left = 52, right = width - 2, top = 8 + series * (height - 14) / 2, low = top + (height - 14) / 2 - 16;
    pen.strokeStyle = style.getPropertyValue("--line"); pen.lineWidth = 1;
    for (const [y, value] of [[top, most], [low, 0]]) {
      pen.beginPath(); pen.moveTo(left, y + .5); pen.lineTo(right, y + .5); pen.stroke();
      pen.fillStyle = style.getPropertyValue("--dim"); pen.textAlign = "right";
      pen.fillText(value ? `${value} ${unit}` : "0", left - 5, y);
    }
    pen.strokeStyle = style.getPropertyValue(color); pen.lineWidth = 1.5; pen.lineJoin = "round";
    pen.beginPath();
    values.forEach((value, i) => pen.lineTo(right - (values.length - 1 - i) * every / 120 * (right - left), low - (low - top) * value / most));
    pen.stroke();
  });
  pen.fillStyle = style.getPropertyValue("--dim");
  pen.textAlign = "left"; pen.fillText("2 min ago", 52, height - 5);
  pen.textAlign = "right"; pen.fillText("now", width - 2, height - 5);
}

// The next of 1, 2, 5, 10, 20, ... that is not below the value.
function nice(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].find(step => step * power >= value) * power;
}

function snapshots(list) {
  at("snapshots").hidden = !list.length;
  const newest = [...list].reverse(), ul = at("snapshots").querySelector("ul"), names = newest.map(one => one.name).join("/");
  if (ul.dataset.names === names) return;
  ul.dataset.names = names;
  ul.replaceChildren(...newest.map(one => {
    const image = make("img"), name = make("span"), link = make("a", "", image, name);
    link.href = image.src = `snapshot/${encodeURIComponent(one.name)}`;
    link.target = "_blank";
    image.alt = "";
    write(name, one.name);
    link.title = one.file;
    return make("li", "", link);
  }));
}

function update(state) {
  if (!answered && shown >= 0) at("picture").src = `picture/${shown}?${Date.now()}`;
  answered = true;
  paused = state.paused;
  at("pause").textContent = paused ? "Resume" : "Pause";
  at("gate").hidden = !state.gates.length;
  at("gate").textContent = state.gates[state.gate] ? `Gate of ${state.gates[state.gate]}` : "Gates";
  at("runs").querySelector("summary").textContent = state.runs_on.split(/[;(]/)[0].trim();
  at("runs").querySelector("p").textContent = state.runs_on;
  at("fps").textContent = state.fps.toFixed(1);
  at("lag").textContent = state.lag_ms.toFixed(0);
  at("p95").textContent = state.lag_p95_ms.toFixed(0);
  at("said").textContent = paused ? `paused. ${state.said}` : state.said;
  if (Date.now() - slid > 1500) at("conf").value = state.conf;
  at("least").textContent = Number(at("conf").value).toFixed(2);
  const tracked = state.classes.some(c => c.objects !== null);
  at("objects").hidden = !tracked;
  fill("classes", state.classes.map(c => [c.name, c.now, c.total, ...(tracked ? [c.objects ?? 0] : [])]));
  sources(state.sources);
  snapshots(state.snapshots);
  zones(state.zones, state.sources[shown]?.name);
  chart(state.history, state.every);
}

async function poll() {
  try {
    const state = await (await fetch("status.json")).json();
    if (state.sources) update(state);
  } catch (error) {
    at("said").textContent = "yolo-attn live does not answer; this page goes on when it does";
    answered = false;
  }
  setTimeout(poll, 500);
}

function fullScreen() {
  if (document.fullscreenElement) document.exitFullscreen();
  else at("stage").requestFullscreen();
}

at("pause").onclick = () => command(paused ? "resume" : "pause");
at("gate").onclick = () => command("gate");
at("snapshot").onclick = () => command("snapshot");
at("all").onclick = () => go(-1);
at("full").onclick = fullScreen;
at("conf").oninput = () => {
  slid = Date.now();
  at("least").textContent = Number(at("conf").value).toFixed(2);
  post(`conf/${at("conf").value}`);
};
addEventListener("hashchange", show);
addEventListener("keydown", event => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  const button = { p: "pause", g: "gate", s: "snapshot", f: "full" }[event.key];
  if (button) { if (!at(button).hidden) at(button).click(); }
  else if (/^[0-9]$/.test(event.key) && Number(event.key) <= count) go(Number(event.key) - 1);
  else if (event.key === "Escape" && at("runs").open) at("runs").open = false;
  else if (event.key === "Escape" && !document.fullscreenElement && !stopDrawing()) go(-1);
});
poll();
