/** Two labels of one image moved together, five by five, on top of all sliders. */

import { moved } from "./codes.js";
import { element, paint } from "./widgets.js";

const SIDE = 5;

/** `spans` are {least, most} of each label's slider; `onChoose` is told which axis has which label. */
export function gridSection({ data, models, work, spans, onChoose }) {
  const { names } = data;
  const [, height, width] = data.shape;

  const axes = ["across", "up"].map((field) => {
    const options = names.map((name, label) => element("option", { value: label }, name));
    const select = element("select", { "aria-label": field }, options);
    select.addEventListener("change", () => onChoose(field, Number(select.value)));
    return { field, select, element: element("label", {}, `${field} `, select) };
  });
  const grids = models.map((model) => {
    const canvas = element("canvas", { role: "img", className: "grid" });
    Object.assign(canvas, { width: SIDE * width, height: SIDE * height });
    const why = model.lacks.traverse ?? "Its characteristics do not move.";
    const shown = model.lines ? canvas : element("p", {}, why);
    const style = `--own: ${model.colour}`;
    const figure = element("figure", { style }, shown, element("figcaption", {}, model.title));
    return { model, canvas, figure };
  });

  function draw({ model, canvas }, { image, wishes, across, up, draw: number }) {
    const tile = element("canvas");
    const context = canvas.getContext("2d");
    const at = (label, step) => {
      const { least, most } = spans[label];
      return least + ((most - least) * step) / (SIDE - 1);
    };
    canvas.setAttribute("aria-label", `${model.title}: ${names[across]} across, ${names[up]} up`);
    for (let row = 0; row < SIDE; row++) {
      for (let column = 0; column < SIDE; column++) {
        const both = new Map(wishes)
          .set(up, at(up, SIDE - 1 - row))
          .set(across, at(across, column));
        work.ask(`grid ${model.model} ${row} ${column}`, () => {
          paint(tile, model.decode(moved(model, image, both, number)));
          context.drawImage(tile, column * width, row * height);
        });
      }
    }
  }

  const chosen = axes.map((axis) => axis.element);
  const figures = grids.map(({ figure }) => figure);
  const section = element(
    "section",
    { className: "grids", "aria-label": "Five by five" },
    element("p", {}, chosen),
    element("div", {}, figures),
  );
  return {
    element: section,
    show(state) {
      section.hidden = state.view !== "grid";
      for (const { field, select } of axes) select.value = state[field];
      if (section.hidden) return;
      for (const grid of grids) if (grid.model.lines) draw(grid, state);
    },
  };
}
