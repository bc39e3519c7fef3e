/** The page: which data set is open, the address, and who is told of a change. */

import { inflated, read } from "./arrays.js";
import { attributesPanel } from "./attributes.js";
import { classesPanel } from "./classes.js";
import { openModel, part } from "./codes.js";
import { network, softplus } from "./network.js";
import { addressOf, stateOf } from "./state.js";
import { element, paint, tilesOf } from "./widgets.js";
import { worker } from "./work.js";

const COLOURS = 6;
const SPOKEN_AFTER_MS = 500;

const textOf = (id) => document.getElementById(id).textContent;
const contents = JSON.parse(textOf("contents"));
const work = worker();
const opened = new Map();

/** Log-probability of every label, or of every class. */
function logProbs(logits, kind) {
  if (kind === "multi_label") return logits.map((logit) => -softplus(-logit));
  const most = Math.max(...logits);
  const total = most + Math.log(logits.reduce((sum, logit) => sum + Math.exp(logit - most), 0));
  return logits.map((logit) => logit - total);
}

async function openData(name) {
  const described = contents.data[name];
  const data = { ...described, judge: null };
  for (const sheet of ["sheet", "redrawn", "true_swaps"]) {
    if (described[sheet]) data[sheet] = await tilesOf(described[sheet], described.shape);
  }
  const bytes = await inflated(textOf(described.blob));
  if (described.judge.asked) {
    const said = read(bytes, described.judge.asked);
    data.askedOf = (image) => part(said, image);
  } else {
    const compute = network(described.judge.layers, bytes);
    data.judge = (picture) => Array.from(logProbs(compute(picture).values, described.kind));
  }
  const memory = new Map();
  data.remembered = (key, make) => {
    if (!memory.has(key)) memory.set(key, make());
    return memory.get(key);
  };
  data.paintTile = (canvas, image) => paint(canvas, data.sheet(0, image));
  return data;
}

/** Panel of a data set at one rate; each is made once. */
async function panelOf(name, rate) {
  const key = `${name} ${rate}`;
  if (!opened.has(key)) {
    const data = await openData(name);
    const chosen = contents.models.filter((model) => model.data === name && model.rate === rate);
    const models = await Promise.all(chosen.map((model) => openModel(model, textOf(model.blob))));
    models.forEach((model, i) => {
      model.colour = `var(--model-${i % COLOURS})`;
    });
    const make = data.kind === "multi_label" ? attributesPanel : classesPanel;
    opened.set(key, { data, models, ...make({ data, models, work, change, say }) });
  }
  return opened.get(key);
}

const place = document.getElementById("panel");
const live = document.getElementById("reading");
const dataChoice = document.getElementById("data");
const rateChoice = document.getElementById("rate");
let state;
let spoken;

function say(text) {
  clearTimeout(spoken);
  spoken = setTimeout(() => {
    live.textContent = text;
  }, SPOKEN_AFTER_MS);
}

function change() {
  opened.get(`${state.data} ${state.rate}`)?.show(state);
  history.replaceState(null, "", addressOf(state, contents.data[state.data]));
}

function leftOut() {
  const sentences = contents.about.left_out.map((sentence) => element("li", {}, `${sentence}.`));
  return sentences.length
    ? [element("p", {}, "Left out of this page:"), element("ul", {}, sentences)]
    : [];
}

function about({ data, models }) {
  const drawn = data.stands_for
    ? `Drawn images in place of ${data.stands_for}: nothing here was computed from ${data.stands_for}. `
    : "";
  const off = Math.max(...models.map((model) => model.off_by[0]));
  const mean = Math.max(...models.map((model) => model.off_by[1]));
  const rounding =
    contents.about.rounding === "int8"
      ? `Weights are rounded to 8 bits, which changes no value of the reconstructions by more than ${off} of 255, and by ${mean} on average.`
      : `Weights are rounded to 16 bits, which changes no value of the reconstructions by more than ${off} of 255.`;
  const facts = models.map((model) =>
    element("li", {}, `${model.title}: f = ${model.rate}, seed ${model.seed}, ${model.facts}.`),
  );
  const lacks = models.flatMap((model) =>
    Object.entries(model.lacks).map(([task, why]) =>
      element("li", {}, `${model.title} cannot ${task}. ${why}`),
    ),
  );
  const judge = data.judge
    ? "The judge is computed on this page, from weights that are rounded alike."
    : `The judge was asked beforehand, of test images, reconstructions and swaps only: ${contents.data[state.data].judge.missing}.`;
  document
    .getElementById("about")
    .replaceChildren(
      element(
        "p",
        {},
        `${drawn}Test images are the first of the test set; nobody chose them. Preset ${contents.about.preset}.`,
      ),
      element("ul", {}, facts, lacks),
      element("p", {}, `${rounding} ${judge}`),
      ...leftOut(),
    );
  const warnings = document.getElementById("warnings");
  warnings.replaceChildren(...data.reservations.map((text) => element("p", {}, text)));
  document.getElementById("drawn").hidden = !data.stands_for;
}

async function open() {
  work.forget();
  const panel = await panelOf(state.data, state.rate);
  place.replaceChildren(panel.element);
  dataChoice.value = state.data;
  const rates = [
    ...new Set(
      contents.models.filter((model) => model.data === state.data).map((model) => model.rate),
    ),
  ];
  rateChoice.replaceChildren(
    ...rates.map((rate) => element("option", { value: rate }, `f = ${rate}`)),
  );
  rateChoice.value = state.rate;
  rateChoice.disabled = rates.length < 2;
  about(panel);
  change();
  document.documentElement.dataset.open = `${state.data} ${state.rate}`;
}

/** Read the address, and open what it says. */
function follow(address) {
  state = stateOf(address, contents);
  return open();
}

dataChoice.append(
  ...Object.entries(contents.data).map(([name, { title }]) =>
    element("option", { value: name }, title),
  ),
);
dataChoice.addEventListener("change", () => follow(`#data=${dataChoice.value}`));
rateChoice.addEventListener("change", () => {
  state.rate = rateChoice.value;
  open();
});
addEventListener("hashchange", () => follow(location.hash));
if (contents.models.length > 0) follow(location.hash);
else place.replaceChildren(element("p", {}, "There is no model to show."), ...leftOut());
