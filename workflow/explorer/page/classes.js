/** Digits and clothes: a wheel of classes, and sliders of style. */

import { bench, reading } from "./bars.js";
import { mixed } from "./codes.js";
import { element, slider } from "./widgets.js";

const RADIUS = 78;
const MIDDLE = 110;

/** Weights of K classes on the wheel: the two beside an angle, and all of them towards the middle. */
export function weightsAt([around, out], count) {
  const first = Math.floor(around) % count;
  const share = around - Math.floor(around);
  const weights = Array(count).fill((1 - out) / count);
  weights[first] += out * (1 - share);
  weights[(first + 1) % count] += out * share;
  return weights;
}

function wheel(names, onMove) {
  const count = names.length;
  const draw = (tag, properties, text = "") => {
    const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(properties)) made.setAttribute(name, value);
    made.textContent = text;
    return made;
  };
  const place = ([around, out], radius = RADIUS) => {
    const angle = (2 * Math.PI * around) / count - Math.PI / 2;
    return [MIDDLE + radius * out * Math.cos(angle), MIDDLE + radius * out * Math.sin(angle)];
  };
  const svg = draw("svg", {
    viewBox: `0 0 ${2 * MIDDLE} ${2 * MIDDLE}`,
    class: "wheel",
    "aria-hidden": "true",
  });
  svg.append(draw("circle", { cx: MIDDLE, cy: MIDDLE, r: RADIUS, class: "rim" }));
  names.forEach((name, k) => {
    const [x, y] = place([k, 1]);
    const [u, v] = place([k, 1], RADIUS + 17);
    svg.append(draw("line", { x1: MIDDLE, y1: MIDDLE, x2: x, y2: y, class: "spoke" }));
    svg.append(draw("circle", { cx: x, cy: y, r: 3, class: "stop" }));
    svg.append(
      draw(
        "text",
        { x: u, y: v, class: name.length > 2 ? "long" : "" },
        name.length > 8 ? `${name.slice(0, 7)}.` : name,
      ),
    );
  });
  const dot = svg.appendChild(draw("circle", { r: 9, class: "dot" }));
  const follow = (event) => {
    const box = svg.getBoundingClientRect();
    const [x, y] = [event.clientX - box.left, event.clientY - box.top].map(
      (at) => (at / box.width) * 2 * MIDDLE - MIDDLE,
    );
    const angle = Math.atan2(y, x) + Math.PI / 2;
    const around = ((angle / (2 * Math.PI)) * count + count) % count;
    onMove([around, Math.min(Math.hypot(x, y) / RADIUS, 1)]);
  };
  svg.addEventListener("pointerdown", (event) => {
    svg.setPointerCapture(event.pointerId);
    follow(event);
  });
  svg.addEventListener("pointermove", (event) => {
    if (svg.hasPointerCapture(event.pointerId)) follow(event);
  });
  return {
    element: svg,
    set(where) {
      const [x, y] = place(where);
      dot.setAttribute("cx", x);
      dot.setAttribute("cy", y);
    },
  };
}

export function classesPanel({ data, models, work, change, say }) {
  const { names, labels } = data;
  let state;
  const go = (where) => {
    state.wheel = where;
    change();
  };
  const round = wheel(names, go);
  const sentence = (around) => {
    const weights = weightsAt([around, 1], names.length);
    return weights
      .flatMap((weight, k) => (weight > 0.005 ? [`${Math.round(100 * weight)}% ${names[k]}`] : []))
      .join(", ");
  };
  const named = (text, made) =>
    element("label", { className: "slide" }, element("span", {}, text), made.element);
  const around = slider({
    name: "Around the wheel",
    least: 0,
    most: names.length,
    format: sentence,
    onInput: (value) => go([value, at()[1]]),
  });
  const out = slider({
    name: "From the middle of all classes to one",
    least: 0,
    most: 1,
    format: (value) => `${Math.round(100 * value)}%`,
    onInput: (value) => go([at()[0], value]),
  });
  const kept = slider({
    name: "How much of the image stays",
    least: 0,
    most: 1,
    format: (value) => `${Math.round(100 * value)}%`,
    onInput(value) {
      state.kept = value;
      change();
    },
  });
  const styles = [0, 1, 2, 3].map((j) =>
    slider({
      name: `Style ${j + 1}`,
      least: -3,
      most: 3,
      marks: [{ at: 0, name: "as it is", kind: "mean" }],
      format: (value) => `${value.toFixed(1)} standard deviations`,
      onInput(value) {
        state.styles[j] = value;
        change();
      },
    }),
  );
  const press = (text, title, act) => {
    const button = element("button", { type: "button", title }, text);
    button.addEventListener("click", () => {
      act();
      change();
    });
    return button;
  };
  const images = labels.map((_, image) => {
    const button = press("", `Image ${image + 1}`, () =>
      Object.assign(state, { image, wheel: null, draw: 0 }),
    );
    button.setAttribute("aria-label", `Image ${image + 1}`);
    return button;
  });
  const columns = [
    { id: "image", title: "Test image", colour: "var(--plain)" },
    ...models.map(({ model, title, facts, colour }) => ({ id: model, title, colour, note: facts })),
  ];
  const rows = names.map((name, k) => ({
    name,
    head: press(name, `Go to ${name}`, () => {
      state.wheel = [k, 1];
    }),
  }));
  const says = element("p", { className: "says" });
  const legend = element(
    "span",
    { className: "legend" },
    element(
      "span",
      {},
      element("i", { className: "before" }),
      "judge before ",
      element("i", { className: "after" }),
      "and after, ln p",
    ),
  );
  const table = bench({
    columns,
    rows,
    corner: [says, legend],
    onFocus: (id) => {
      state.model = id;
      change();
    },
  });

  /** Where on the wheel a reader is; at the start, at the class that the first model sees. */
  const at = () => state.wheel ?? [models[0].predicted[state.image][0], 1];

  function show(given) {
    state = given;
    const where = at();
    round.set(where);
    around.set(where[0]);
    out.set(where[1]);
    kept.set(state.kept);
    styles.forEach((style, j) => style.set(state.styles[j]));
    images.forEach((button, i) => button.setAttribute("aria-pressed", i === state.image));
    const focused = state.model || models[0].model;
    table.focus(focused);
    const start = data.sheet(0, state.image);
    table.columns.image.show(start, `Test image ${state.image + 1}`);
    table.columns.image.read(
      undefined,
      data.judge
        ? data.remembered(`image ${state.image}`, () => data.judge(start))
        : data.askedOf(state.image),
    );
    const weights = weightsAt(where, names.length);
    for (const model of models) {
      work.ask(`picture ${model.model}`, () => {
        const touched = state.wheel || state.kept !== 1 || state.draw || state.styles.some(Boolean);
        const code = touched
          ? mixed(model, state.image, own(model, weights), state.kept, state.styles, state.draw)
          : model.codeOf(state.image);
        const picture = typeof code === "string" ? code : model.decode(code);
        table.columns[model.model].show(picture, `${model.title}: picture`);
        if (!model.classes?.moves)
          table.columns[model.model].caption.textContent ||= "a switch, no wheel";
        if (!data.judge) {
          // Asked beforehand: of what does not move.
          table.columns[model.model].read(
            undefined,
            touched ? undefined : model.askedOf(state.image),
          );
          return;
        }
        work.ask(`judge ${model.model}`, () => {
          const before = data.remembered(`${model.model} ${state.image}`, () =>
            data.judge(model.decode(model.codeOf(state.image))),
          );
          const after = typeof picture === "string" ? undefined : data.judge(picture);
          table.columns[model.model].read(before, after);
          if (!after || model.model !== focused) return;
          const text = reading(model.title, names, before, after, [
            weights.indexOf(Math.max(...weights)),
          ]);
          says.textContent = text;
          say(text);
        });
      });
    }
  }

  /** A model that sees another class than the first one starts from its own. */
  function own(model, weights) {
    if (state.wheel) return weights;
    return weightsAt([model.predicted[state.image][0], 1], names.length);
  }

  images.forEach((button, image) => {
    const canvas = button.appendChild(element("canvas", { "aria-hidden": "true" }));
    data.paintTile(canvas, image);
  });
  const lacking = models.filter((model) => !model.classes?.moves);
  return {
    show,
    element: element(
      "div",
      { className: "classes" },
      element(
        "div",
        { className: "pick", role: "group", "aria-label": "Image" },
        element("span", { className: "hint" }, "Image"),
        images,
      ),
      element(
        "div",
        { className: "beside" },
        element(
          "section",
          { className: "controls", "aria-label": "Class and style" },
          round.element,
          named("around", around),
          named("from the middle", out),
          element("h3", {}, "Style"),
          named("of the image", kept),
          styles.map((style, j) => named(`direction ${j + 1}`, style)),
          element(
            "p",
            { className: "hint" },
            "Directions in which each model’s codes of one class differ most, in standard deviations; each model has its own.",
          ),
          element(
            "div",
            { className: "tools" },
            press("Draw anew", "Draw within the class, as the model generates", () => {
              state.draw += 1;
              state.wheel ??= at();
              state.kept = 1;
            }),
            press("Reset", "Back to the image as each model encodes it", () =>
              Object.assign(state, { wheel: null, draw: 0, kept: 1, styles: [0, 0, 0, 0] }),
            ),
          ),
        ),
        element(
          "div",
          {},
          table.element,
          lacking.map((model) =>
            element("p", { className: "hint" }, `${model.title}: ${model.lacks.traverse ?? ""}`),
          ),
        ),
      ),
    ),
  };
}
