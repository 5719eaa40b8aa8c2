const data = JSON.parse(document.getElementById("data").textContent);
const SVG = "http://www.w3.org/2000/svg";

function element(name, attributes, parent, namespace) {
  const made = namespace ? document.createElementNS(namespace, name) : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key === "text") made.textContent = value;
    else made.setAttribute(key, value);
  }
  if (parent) parent.append(made);
  return made;
}

// ---------------------------------------------------------------------------------------- choice

let chosen = []; // pictures that pass the filters, in order
let current = null;

const ORDERS = {
  disagreement: (a, b) => b.disagreement - a.disagreement,
  people: (a, b) => b.people - a.people || b.disagreement - a.disagreement,
  few: (a, b) => a.people - b.people || b.disagreement - a.disagreement,
};

function passes(picture) {
  const [low, high] = byId("people").value.split("-").map(Number);
  const size = byId("size").value;
  return picture.people >= low && picture.people <= high && (!size || picture.size === size);
}

function choose() {
  chosen = data.pictures.filter(passes).sort(ORDERS[byId("sort").value]);
  fillStrip();
  show(chosen.includes(current) ? current : chosen[0] || null);
}

function step(by) {
  if (!chosen.length) return;
  const place = chosen.indexOf(current);
  show(chosen[(place + by + chosen.length) % chosen.length]);
}

function fromHash() {
  const wanted = decodeURIComponent((location.hash.match(/^#picture=(.*)$/) || [])[1] || "");
  const found = data.pictures.find((picture) => String(picture.id) === wanted);
  if (!found) return false;
  if (!chosen.includes(found)) {
    byId("people").selectedIndex = 0;
    byId("size").value = "";
    current = found;
    choose();
  } else show(found);
  return true;
}

// ---------------------------------------------------------------------------------------- drawing

// People's hues lie far apart and are equally bright; a person's left side is paler, the right darker.
const shade = (person, side) => `oklch(${side < 0 ? 0.84 : side > 0 ? 0.68 : 0.76} 0.17 ${(60 + person * 222.5) % 360})`;

function drawPerson(parent, joints, person, kind, title) {
  const group = element("g", { class: kind }, parent, SVG);
  if (title) element("title", { text: title }, group, SVG);
  const at = (j) => [joints[3 * j], joints[3 * j + 1], joints[3 * j + 2]];
  const limbs = data.skeleton.limbs.filter(([a, b]) => at(a)[2] > 0 && at(b)[2] > 0);
  const line = ([a, b], more) =>
    element("line", { x1: at(a)[0], y1: at(a)[1], x2: at(b)[0], y2: at(b)[1], ...more }, group, SVG);
  for (const limb of limbs) line(limb, { class: "rim" });
  for (const limb of limbs) {
    const side = data.skeleton.limbSides[data.skeleton.limbs.indexOf(limb)];
    line(limb, { class: "limb", stroke: shade(person, side) });
  }
  const [, , width, height] = parent.getAttribute("viewBox").split(" ").map(Number);
  const radius = Math.max(width, height) / 170;
  data.skeleton.joints.forEach((name, j) => {
    const [x, y, score] = at(j);
    if (score <= 0) return;
    const fill = shade(person, data.skeleton.sides[j]);
    const dot = element("circle", { cx: x, cy: y, r: radius, fill, stroke: "#101010", "stroke-width": radius / 3 }, group, SVG);
    element("title", { text: `${name.replace("_", " ")}${title ? `, ${title}` : ""}` }, dot, SVG);
  });
}

function fate(person) {
  const score = `score ${person.score}`;
  if (person.good === null) return data.labelled ? `${score}, not counted` : score;
  return `${score}, right at ${Math.round(10 * person.good)} of 10 OKS thresholds`;
}

const wants = (name) => byId(`toggle-${name}`).checked;

function drawPanel(picture, figure, number) {
  const system = number < 0 ? null : data.systems[number];
  const stage = figure.querySelector(".stage");
  const svg = figure.querySelector("svg");
  const layers = system && picture.layers ? picture.layers[number] : {};
  const layer = layers[byId("layer").value];
  const shownName = system ? system.name : "Truth";
  stage.style.aspectRatio = `${picture.width} / ${picture.height}`;
  stage.classList.toggle("mapped", Boolean(layer));
  const photo = figure.querySelector(".photo");
  photo.hidden = !picture.image;
  if (picture.image) photo.src = picture.image;
  photo.alt = `picture ${picture.id}, ${people(picture.people)}; ${shownName}`;
  const over = figure.querySelector(".layer");
  over.hidden = !layer;
  if (layer) over.src = layer;
  svg.setAttribute("viewBox", `-0.5 -0.5 ${picture.width} ${picture.height}`);
  svg.replaceChildren();
  const found = system ? picture.found[number].filter((p) => p.score >= system.threshold || wants("unsure")) : [];
  if (system && wants(number)) {
    found.forEach((person, i) => drawPerson(svg, person.joints, i, person.good === 0 ? "ghost" : "hit", fate(person)));
  }
  if (data.labelled && (system ? wants("over") : wants("truth"))) {
    picture.truth.forEach((person, i) => drawPerson(svg, person.joints, i, system ? "true" : "label", ""));
  }
  const quality = system && picture.F1 ? `, F1 ${picture.F1[number].toFixed(2)}` : "";
  const told = system ? `${people(found.length)} found${quality}` : people(picture.truth.length);
  figure.querySelector("figcaption").textContent = `${shownName}: ${told}`;
}

const FIRST = data.labelled ? -1 : 0; // the panel of the truth is number -1
const apart = (picture, name) => (picture.disagreement === null ? [] : [`${name}${picture.disagreement.toFixed(2)}`]);
const people = (count) => (count === 1 ? "1 person" : `${count} people`);

function show(picture) {
  current = picture;
  byId("panels").hidden = !picture;
  for (const button of byId("strip").children) {
    const isCurrent = picture !== null && button.dataset.id === String(picture.id);
    button.setAttribute("aria-current", String(isCurrent));
    if (isCurrent) {
      const strip = byId("strip"); // scrolled alone: the page stays where it is
      strip.scrollLeft = button.offsetLeft - strip.offsetLeft - strip.clientWidth / 2 + button.clientWidth / 2;
    }
  }
  if (!picture) {
    byId("caption").textContent = data.pictures.length ? "No picture passes the filters." : "No pictures on this page.";
    return;
  }
  history.replaceState(null, "", `#picture=${encodeURIComponent(picture.id)}`);
  const place = `${chosen.indexOf(picture) + 1} of ${chosen.length}`;
  byId("caption").textContent = `${place}: ${[picture.name, ...apart(picture, "disagreement ")].join(", ")}`;
  Array.from(byId("panels").children).forEach((figure, i) => drawPanel(picture, figure, i + FIRST));
}

// ---------------------------------------------------------------------------------------- making

function addToggle(name, text, checked) {
  const label = element("label", {}, byId("toggles"));
  const box = element("input", { type: "checkbox", id: `toggle-${name}` }, label);
  box.checked = checked;
  box.addEventListener("change", () => show(current));
  label.append(text);
}

function addPanel() {
  const figure = element("figure", {}, byId("panels"));
  element("figcaption", {}, figure);
  const stage = element("div", { class: "stage" }, figure);
  element("img", { class: "photo", alt: "" }, stage);
  element("img", { class: "layer", alt: "", hidden: "" }, stage);
  element("svg", { "aria-hidden": "true", preserveAspectRatio: "none" }, stage, SVG);
}

function fillStrip() {
  byId("strip").replaceChildren();
  for (const picture of chosen) {
    const button = element("button", { type: "button", "data-id": picture.id }, byId("strip"));
    if (picture.image) element("img", { src: picture.image, alt: "" }, button);
    else element("span", { class: "blank" }, button);
    button.append([people(picture.people), ...apart(picture, "")].join(", "));
    const told = [`picture ${picture.id}`, people(picture.people), ...apart(picture, "disagreement ")];
    button.setAttribute("aria-label", told.join(", "));
    button.addEventListener("click", () => show(picture));
  }
}

function build() {
  element("option", { value: "0-1000000", text: "any" }, byId("people"));
  for (const [low, high] of data.bins) {
    const text = high === null ? `${low}+` : low === high ? `${low}` : `${low} to ${high}`;
    element("option", { value: `${low}-${high === null ? 1000000 : high}`, text }, byId("people"));
  }
  if (data.labelled) addToggle("truth", "truth", true);
  else for (const name of ["sort", "size"]) byId(name).parentElement.hidden = true; // nothing to go by
  data.systems.forEach((system, number) => addToggle(number, system.name, true));
  if (data.labelled) addToggle("over", "truth over every system", false);
  addToggle("unsure", "also unsure people", false);
  const layers = new Set(data.pictures.flatMap((picture) => (picture.layers || []).flatMap(Object.keys)));
  for (const option of Array.from(byId("layer").options)) if (option.value && !layers.has(option.value)) option.remove();
  byId("layer").parentElement.hidden = !layers.size;
  for (let i = FIRST; i < data.systems.length; i += 1) addPanel();
  for (const id of ["sort", "people", "size"]) byId(id).addEventListener("change", choose);
  byId("layer").addEventListener("change", () => show(current));
  byId("previous").addEventListener("click", () => step(-1));
  byId("next").addEventListener("click", () => step(1));
  window.addEventListener("hashchange", fromHash);
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.target.closest("select")) return;
    if (event.key === "ArrowLeft") step(-1);
    else if (event.key === "ArrowRight") step(1);
    else return;
    event.preventDefault();
  });
  const hash = location.hash; // choosing the first picture would replace it
  chosen = data.pictures;
  current = data.pictures.find((picture) => hash === `#picture=${encodeURIComponent(picture.id)}`) || null;
  choose();
}
build();
