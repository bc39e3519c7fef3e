/** What a reader has chosen, and the address that keeps it. */

/** Whatever the address does not say. */
export function initial(data, rate) {
  return {
    data,
    rate,
    image: 0,
    model: "",
    view: "move",
    wishes: new Map(),
    locked: new Set(),
    draw: 0,
    donor: 1,
    across: 0,
    up: 1,
    wheel: null,
    kept: 1,
    styles: [0, 0, 0, 0],
  };
}

const number = (text, otherwise, least, most) => {
  const value = Number(text);
  return text === null || !Number.isFinite(value)
    ? otherwise
    : Math.min(Math.max(value, least), most);
};
const whole = (...given) => Math.round(number(...given));
const short = (value) => String(Math.round(value * 1000) / 1000);

/** The part of the address behind #. */
export function addressOf(state, { names, kind }) {
  const said = new URLSearchParams({ data: state.data, f: state.rate, image: state.image });
  if (state.model) said.set("model", state.model);
  if (state.draw) said.set("draw", state.draw);
  if (kind === "multi_label") {
    said.set("view", state.view);
    if (state.view === "swap") said.set("donor", state.donor);
    if (state.view === "grid") {
      said.set("across", names[state.across]);
      said.set("up", names[state.up]);
    }
    for (const [label, wish] of [...state.wishes].sort(([a], [b]) => a - b)) {
      said.set(`z.${names[label]}`, typeof wish === "number" ? short(wish) : wish);
    }
    for (const label of [...state.locked].sort((a, b) => a - b)) said.append("lock", names[label]);
  } else {
    if (state.wheel) said.set("wheel", state.wheel.map(short).join("_"));
    if (state.kept !== 1) said.set("kept", short(state.kept));
    if (state.styles.some(Boolean)) said.set("styles", state.styles.map(short).join("_"));
  }
  return `#${said}`;
}

/** State of an address; what it does not say, or says of other contents, is as at the start. */
export function stateOf(address, { data, models }) {
  const said = new URLSearchParams(address.replace(/^#/, ""));
  const chosen = said.get("data") in data ? said.get("data") : Object.keys(data)[0];
  const there = models.filter((model) => model.data === chosen);
  const rates = there.map((model) => model.rate);
  const state = initial(chosen, rates.includes(said.get("f")) ? said.get("f") : rates[0]);
  const { names, labels } = data[chosen];
  const last = labels.length - 1;
  state.image = whole(said.get("image"), 0, 0, last);
  state.donor = whole(said.get("donor"), Math.min(1, last), 0, last);
  state.model = there.some(({ model }) => model === said.get("model")) ? said.get("model") : "";
  state.draw = whole(said.get("draw"), 0, 0, 1e6);
  if (["move", "swap", "grid"].includes(said.get("view"))) state.view = said.get("view");
  const labelOf = (name, otherwise) => (names.includes(name) ? names.indexOf(name) : otherwise);
  state.across = labelOf(said.get("across"), 0);
  state.up = labelOf(said.get("up"), Math.min(1, names.length - 1));
  names.forEach((name, label) => {
    const wish = said.get(`z.${name}`);
    if (wish === "on" || wish === "off") state.wishes.set(label, wish);
    else if (wish !== null && Number.isFinite(Number(wish))) state.wishes.set(label, Number(wish));
  });
  state.locked = new Set(
    said
      .getAll("lock")
      .filter((name) => names.includes(name))
      .map((name) => labelOf(name)),
  );
  const wheel = (said.get("wheel") ?? "").split("_");
  if (wheel.length === 2)
    state.wheel = [number(wheel[0], 0, 0, names.length), number(wheel[1], 1, 0, 1)];
  state.kept = number(said.get("kept"), 1, 0, 1);
  (said.get("styles") ?? "")
    .split("_")
    .slice(0, 4)
    .forEach((text, i) => {
      state.styles[i] = text === "" ? 0 : number(text, 0, -3, 3);
    });
  return state;
}
