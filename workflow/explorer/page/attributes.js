/** Faces and X-rays: a slider per label, swaps, and a grid of two labels. */

import { bench, reading } from "./bars.js";
import { lineOf, moved, swapped } from "./codes.js";
import { gridSection } from "./grid.js";
import { element, paint, slider } from "./widgets.js";

const ONE_AT_A_TIME = "The true redrawing is kept for one changed label at a time.";

export function attributesPanel({ data, models, work, change, say }) {
  const { names, labels } = data;
  const movable = models.filter((model) => model.lines);
  let state;
  let marked = -1;

  const columns = [
    { id: "image", title: "Test image", colour: "var(--plain)" },
    ...(data.redrawn
      ? [
          {
            id: "truth",
            title: "True redrawing",
            colour: "var(--truth)",
            note: "Drawn anew by the generator with that label changed",
          },
        ]
      : []),
    ...models.map(({ model, title, facts, colour }) => ({ id: model, title, colour, note: facts })),
  ];
  const heads = names.map((name, label) => {
    // As far as p(z_c | y) goes, and every image, in any model.
    const lines = movable.flatMap((model) => labels.map((_, image) => lineOf(model, label, image)));
    const least = Math.min(0, ...lines.map((line) => Math.min(line.least, line.start)));
    const most = Math.max(1, ...lines.map((line) => Math.max(line.most, line.start)));
    const lock = element("input", {
      type: "checkbox",
      "aria-label": `Lock ${name}`,
      title: "Lock: neither drawn anew nor reset",
    });
    lock.addEventListener("change", () => {
      if (lock.checked) state.locked.add(label);
      else state.locked.delete(label);
      change();
    });
    const range = slider({
      name,
      least,
      most,
      format: (value) =>
        `${value.toFixed(2)}, where 0 is the mean without and 1 the mean with ${name}`,
      onInput(value) {
        // The label moved last is the last one.
        state.wishes.delete(label);
        state.wishes.set(label, value);
        change();
      },
    });
    return {
      name,
      label,
      lock,
      range,
      least,
      most,
      head: element(
        "span",
        { className: "label" },
        lock,
        element("span", { className: "name" }, name),
        range.element,
      ),
    };
  });
  const table = bench({
    columns,
    rows: heads,
    corner: "",
    onFocus: (id) => {
      state.model = id;
      change();
    },
  });
  const corner = table.element.querySelector(".corner");
  const says = element("p", { className: "says" });
  corner.append(
    says,
    element(
      "span",
      { className: "legend" },
      element("span", {}, element("i", { className: "mean" }), "class means"),
      element("span", {}, element("i", { className: "flip" }), "a model’s classifier flips"),
      element(
        "span",
        {},
        element("i", { className: "before" }),
        "judge before ",
        element("i", { className: "after" }),
        "and after, ln p",
      ),
    ),
  );

  const pick = (title, field) => {
    const buttons = labels.map((_, image) => {
      const button = element(
        "button",
        { type: "button", "aria-label": `${title} ${image + 1}` },
        element("canvas", { "aria-hidden": "true" }),
      );
      paint(button.firstChild, data.sheet(0, image));
      button.addEventListener("click", () => {
        state[field] = image;
        if (field === "image" && state.view !== "swap")
          state.wishes = new Map([...state.wishes].filter(([label]) => state.locked.has(label)));
        change();
      });
      return button;
    });
    return {
      buttons,
      field,
      element: element(
        "div",
        { className: "pick", role: "group", "aria-label": title },
        element("span", { className: "hint" }, title),
        buttons,
      ),
    };
  };
  const donors = pick("Characteristics of", "donor");
  const images = pick("Image", "image");

  const press = (text, title, act) => {
    const button = element("button", { type: "button", title }, text);
    button.addEventListener("click", () => {
      act();
      change();
    });
    return button;
  };
  const draw = press(
    "Draw anew",
    "Draw each unlocked label's characteristics anew, within its class",
    () => {
      for (let label = 0; label < names.length; label++) {
        if (!state.locked.has(label)) state.wishes.set(label, isOn(label) ? "on" : "off");
      }
      state.draw += 1;
    },
  );
  const reset = press("Reset", "Back to the image as each model encodes it", () => {
    for (const label of [...state.wishes.keys()])
      if (!state.locked.has(label)) state.wishes.delete(label);
    if (state.wishes.size === 0) state.draw = 0;
  });
  const views = [
    ["move", "Move"],
    ["swap", "Swap"],
    ["grid", "5 × 5"],
  ].map(([view, title]) => {
    const button = element("button", { type: "button" }, title);
    button.addEventListener("click", () => {
      state.view = view;
      change();
    });
    return { view, button };
  });
  const grid = gridSection({
    data,
    models,
    work,
    spans: heads,
    onChoose(field, label) {
      state[field] = label;
      change();
    },
  });

  /** Whether a label is on as things are: as wished, or as the first movable model sees the image. */
  function isOn(label) {
    const wish = state.wishes.get(label);
    if (typeof wish === "string") return wish === "on";
    const model = movable[0];
    if (!model)
      return typeof wish === "number"
        ? wish >= 0.5
        : Boolean(models[0].predicted[state.image][label]);
    const line = lineOf(model, label, state.image);
    const code = moved(
      model,
      state.image,
      new Map([...state.wishes].filter(([other]) => other === label)),
      state.draw,
    );
    return line.isOn(code.subarray(line.from, line.from + model.lines.width));
  }

  /** Where a slider stands: as wished, or where the first movable model is. */
  function position(label) {
    const wish = state.wishes.get(label);
    if (typeof wish === "number") return wish;
    const model = movable[0];
    if (!model) return isOn(label) ? 1 : 0;
    const line = lineOf(model, label, state.image);
    const code = moved(model, state.image, new Map(wish ? [[label, wish]] : []), state.draw);
    return line.positionOf(code.subarray(line.from, line.from + model.lines.width));
  }

  function markSliders() {
    if (marked === state.image) return;
    marked = state.image;
    for (const { label, range } of heads) {
      const flips = movable.map((model) => ({
        at: lineOf(model, label, state.image).flip,
        name: `${model.title}: the classifier flips`,
        kind: "flip",
        colour: model.colour,
      }));
      range.mark([
        { at: 0, name: "mean of off", kind: "mean" },
        { at: 1, name: "mean of on", kind: "mean" },
        ...flips,
      ]);
    }
  }

  const swapping = () => state.view === "swap";
  const original = (image) => data.sheet(0, image);

  function truth() {
    if (state.view === "swap") return data.true_swaps(state.donor, state.image);
    const changed = [...state.wishes.keys()].filter(
      (label) => isOn(label) !== Boolean(labels[state.image][label]),
    );
    if (changed.length === 0) return original(state.image);
    return changed.length === 1 ? data.redrawn(state.image, changed[0]) : ONE_AT_A_TIME;
  }

  /** Let the judge read a picture, beside what it says of another one, which does not change. */
  function judged(column, before, after, done) {
    if (!data.judge) {
      // Asked beforehand: of what does not move.
      const still = column === "image" || swapping() || state.wishes.size === 0;
      const model = models.find((one) => one.model === column);
      const was =
        swapping() || !model
          ? data.askedOf(swapping() ? state.donor : state.image)
          : model.askedOf(state.image);
      const is = !model ? was : swapping() ? model.askedOfSwap(state.donor, state.image) : was;
      table.columns[column].read(was, still && column !== "truth" ? is : undefined);
      if (model && still && was && is) done?.(was, is);
      return;
    }
    work.ask(`judge ${column}`, () => {
      const was = before && data.remembered(before.name, () => data.judge(before.picture()));
      const is = typeof after === "string" ? undefined : data.judge(after);
      table.columns[column].read(was, is);
      if (was && is) done?.(was, is);
    });
  }

  function show(given) {
    state = given;
    const swaps = swapping();
    for (const { view, button } of views) button.setAttribute("aria-pressed", view === state.view);
    for (const { buttons, field } of [donors, images])
      buttons.forEach((button, i) => button.setAttribute("aria-pressed", i === state[field]));
    images.element.firstChild.textContent = swaps ? "on the background of" : "Image";
    donors.element.hidden = !swaps;
    draw.hidden = reset.hidden = swaps;
    markSliders();
    for (const { label, range, lock, head } of heads) {
      head.classList.toggle("touched", state.wishes.has(label) && !swaps);
      range.set(position(label));
      lock.checked = state.locked.has(label);
      range.input.disabled = state.locked.has(label);
      range.element.hidden = lock.hidden = swaps;
    }
    const focused = state.model || models[0].model;
    table.focus(focused);
    const shown = swaps ? state.donor : state.image;
    const start = original(shown);
    const before = { name: `image ${shown}`, picture: () => start };
    table.columns.image.show(start, `${swaps ? "Donor" : "Test image"} ${shown + 1}`);
    table.columns.image.caption.textContent = swaps ? "the donor" : "";
    judged("image", null, start);
    if (data.redrawn) {
      const picture = truth();
      table.columns.truth.show(picture, "The true redrawing");
      judged("truth", before, picture);
    }
    for (const model of models) {
      work.ask(`picture ${model.model}`, () => {
        const code = swaps
          ? swapped(model, state.donor, state.image)
          : moved(model, state.image, state.wishes, state.draw);
        const picture = typeof code === "string" ? code : model.decode(code);
        const column = table.columns[model.model];
        column.show(picture, swaps ? `${model.title}: swap` : `${model.title}: picture`);
        column.caption.textContent ||=
          !swaps && !model.lines && state.wishes.size ? "a switch, no slider" : "";
        const own = {
          name: `${model.model} ${state.image}`,
          picture: () => model.decode(model.codeOf(state.image)),
        };
        judged(model.model, swaps ? before : own, picture, (was, is) => {
          if (model.model !== focused) return;
          const asked = [...state.wishes]
            .filter(([, wish]) => typeof wish === "number")
            .map(([label]) => label);
          const text = reading(
            model.title,
            names,
            was,
            is,
            swaps ? [] : asked.slice(-1),
            swaps ? "the donor" : "the reconstruction",
          );
          says.textContent = text;
          say(text);
        });
      });
    }
    grid.show(state);
  }

  return {
    show,
    element: element(
      "div",
      { className: "attributes" },
      element(
        "div",
        { className: "tools" },
        element(
          "div",
          { className: "views", role: "group", "aria-label": "View" },
          views.map(({ button }) => button),
        ),
        draw,
        reset,
      ),
      donors.element,
      images.element,
      grid.element,
      table.element,
    ),
  };
}
