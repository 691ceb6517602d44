"use strict";
// Zones and lines on the page: their counts, and the mouse that draws new ones on the picture.
const Zones = { drawable: null, points: [], line: false, source: "" };

// What the file has; null where the run counts in no zones.
async function readZones() {
  return (await fetch("zones.json")).json();
}

async function saveZones(shapes) {
  const headers = { "X-Yolo-Attn": "1" };
  const answer = await fetch("zones.json", { method: "POST", headers, body: JSON.stringify(shapes) });
  if (!answer.ok) alert(await answer.text());
}

// Fills the table of the source that is shown, or of all; the first call asks whether there are zones at all.
async function zones(counted, source) {
  if (Zones.drawable === null) {
    Zones.drawable = false;
    Zones.drawable = (await readZones()) !== null;
    document.getElementById("zones").hidden = !Zones.drawable;
  }
  if (!Zones.drawable) return;
  Zones.source = source;
  for (const id of ["addzone", "addline"]) {
    const button = document.getElementById(id);
    button.disabled = !source;
    button.title = source ? "" : "open one of the sources first";
  }
  const here = source ? counted.filter(zone => zone.source === source) : counted;
  const rows = here.map(z => [source ? z.name : `${z.name}, ${z.source}`, z.inside ?? "", z.in, z.out, z.inside === null ? "" : `${z.stay_s} s`, "×"]);
  fill("zonerows", rows).forEach((row, index) => {
    const cell = row.cells[5];
    if (!cell.firstElementChild) cell.replaceChildren(make("button", "", "×"));
    cell.firstElementChild.title = cell.firstElementChild.ariaLabel = `remove ${here[index].name}`;
    cell.firstElementChild.onclick = () => removeZone(here[index]);
  });
}

async function removeZone(zone) {
  if (!confirm(`Remove ${zone.name} from the file?`)) return;
  const shapes = await readZones();
  const index = shapes.findIndex(shape => shape.name === zone.name && [undefined, zone.source].includes(shape.source));
  await saveZones(shapes.filter((_, i) => i !== index));
}

// Where the picture lies in its element, which it fills as far as its shape allows, and how large its pixels are.
function place() {
  const image = document.getElementById("picture");
  const scale = Math.min(image.clientWidth / image.naturalWidth, image.clientHeight / image.naturalHeight);
  const left = (image.clientWidth - image.naturalWidth * scale) / 2;
  return { scale, left, top: (image.clientHeight - image.naturalHeight * scale) / 2, image };
}

function draw(line) {
  stopDrawing();
  Zones.line = line;
  const drawing = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  drawing.id = "drawing";
  drawing.append(document.createElementNS("http://www.w3.org/2000/svg", "polyline"));
  document.getElementById("view").append(drawing);
  drawing.scrollIntoView({ block: "nearest" });  // the button is below it on a small screen
  drawing.onclick = event => {
    const { scale, left, top, image } = place();
    const inside = (value, most) => Math.min(Math.max(Math.round(value / scale), 0), most - 1);
    Zones.points.push([inside(event.offsetX - left, image.naturalWidth), inside(event.offsetY - top, image.naturalHeight)]);
    if (Zones.line && Zones.points.length === 2) finishDrawing();
  };
  drawing.onpointermove = event => outline([event.offsetX, event.offsetY]);
  drawing.ondblclick = finishDrawing;
}

function outline(mouse) {
  const { scale, left, top } = place();
  const shown = [...Zones.points.map(([x, y]) => [x * scale + left, y * scale + top]), mouse];
  document.querySelector("#drawing polyline").setAttribute("points", shown.join(" "));
}

// Tells whether there was anything to stop.
function stopDrawing() {
  const drawing = document.getElementById("drawing");
  drawing?.remove();
  Zones.points = [];
  return drawing !== null;
}

// A double click has put its point down twice.
async function finishDrawing() {
  const points = Zones.points.filter((point, i, all) => i === 0 || String(point) !== String(all[i - 1]));
  stopDrawing();
  const name = points.length > (Zones.line ? 1 : 2) && prompt("Its name:");
  if (!name) return;
  const shape = { name, [Zones.line ? "line" : "polygon"]: points, source: Zones.source };
  await saveZones([...await readZones(), shape]);
}

document.getElementById("addzone").onclick = () => draw(false);
document.getElementById("addline").onclick = () => draw(true);
