/**
 * What each model decodes for what a reader asks, as workflow/explorer/models.py packs it.
 *
 * A position on a label's line is 0 at the mean of p(z_c | y = 0) and 1 at that of y = 1, in every
 * model. A wish for a label is a position, or "on" or "off" for a draw of p(z_c | y).
 */

import { inflated, read } from "./arrays.js";
import { decoder } from "./network.js";

/** Deviations of p(z_c | y) beyond its means that a slider covers. */
const REACH = 3;

/** Unpack a model of the contents: its decoder, and its arrays in place of their descriptions. */
export async function openModel(described, text) {
  const bytes = await inflated(text);
  const arraysOf = (packed) =>
    Object.fromEntries(
      Object.entries(packed).map(([name, value]) => [
        name,
        value?.at >= 0 ? read(bytes, value) : value,
      ]),
    );
  const model = arraysOf(described);
  model.decode = decoder(described.decoder, bytes);
  model.codeOf = (image) => part(model.reconstruction, image);
  // What a judge that the page cannot compute has said beforehand.
  const asked = described.asked && arraysOf(described.asked);
  model.askedOf = (image) => asked && part(asked.reconstruction, image);
  model.askedOfSwap = (donor, background) => asked?.swaps && part(asked.swaps, donor, background);
  model.lines = described.lines && arraysOf(described.lines);
  model.classes = described.classes && arraysOf(described.classes);
  return model;
}

/** Row of an array of any rank: its part at the leading indices. */
export function part({ values, shape }, ...indices) {
  const size = shape.slice(indices.length).reduce((product, side) => product * side, 1);
  const at = indices.reduce((sum, index, axis) => sum * shape[axis] + index, 0);
  return values.subarray(at * size, (at + 1) * size);
}

const dot = (a, b) => a.reduce((sum, value, i) => sum + value * b[i], 0);
const plus = (a, b, times = 1) => a.map((value, i) => value + times * b[i]);

/** The line of one label in a model: its direction, and where things lie on it. */
export function lineOf({ lines, reconstruction }, label, image) {
  const [off, on] = [part(lines.mean, label, 0), part(lines.mean, label, 1)];
  const direction = plus(on, off, -1);
  const length = Math.max(Math.sqrt(dot(direction, direction)), 1e-6);
  const from = label * lines.width;
  const along = (deviation) =>
    Math.sqrt(deviation.reduce((sum, d, i) => sum + (d * direction[i]) ** 2, 0)) / length ** 2;
  const positionOf = (z) => dot(plus(z, off, -1), direction) / length ** 2;
  const start = part(reconstruction, image).subarray(from, from + lines.width);
  const flip = part(lines.flip, image)[label];
  return {
    from,
    positionOf,
    start: positionOf(start),
    /** Where the model's own classifier changes its mind about this image. */
    flip,
    isOn: (z) => positionOf(z) > flip,
    least: -REACH * along(part(lines.deviation, label, 0)),
    most: 1 + REACH * along(part(lines.deviation, label, 1)),
    at: (z, position) => plus(z, direction, position - positionOf(z)),
  };
}

/** Characteristics of a label for a wish. */
function characteristics({ lines }, line, label, z, wish, draw) {
  if (typeof wish === "number") return line.at(z, wish);
  const value = wish === "on" ? 1 : 0;
  if (!lines.draws || draw === 0) return part(lines.mean, label, value);
  return part(lines.draws, (draw - 1) % lines.draws.shape[0], value, label);
}

/** Code of an image with wishes for some labels; or a sentence on why there is none. */
export function moved(model, image, wishes, draw) {
  const code = Float64Array.from(part(model.reconstruction, image));
  if (model.lines) {
    for (const [label, wish] of wishes) {
      const line = lineOf(model, label, image);
      const z = code.subarray(line.from, line.from + model.lines.width);
      z.set(characteristics(model, line, label, z, wish, draw));
    }
    return code;
  }
  const switches = [...wishes].filter(([label, wish]) => {
    const on = typeof wish === "number" ? wish >= 0.5 : wish === "on";
    return on !== Boolean(model.predicted[image][label]);
  });
  if (switches.length === 0) return code;
  if (!model.switched) return model.lacks.intervene ?? "It cannot change a label.";
  const single = ([label]) => part(model.switched, image, label);
  if (switches.length === 1) return single(switches[0]);
  if (!model.adds_up)
    return "It changes all latents with any label; here it shows one change at a time.";
  return switches.reduce((sum, change) => plus(plus(sum, single(change)), code, -1), code);
}

/** Code of one image's characteristics on another's background; or a sentence. */
export function swapped(model, donor, background) {
  return model.swaps ? part(model.swaps, donor, background) : model.lacks.swap;
}

/** Code between classes: weights of all classes, how much of the image stays, and styles. */
export function mixed(model, image, weights, kept, styles, draw) {
  const { classes } = model;
  if (!classes) return model.lacks.intervene ?? "It cannot change the class.";
  const nearest = weights.indexOf(Math.max(...weights));
  const shares = classes.moves ? weights : weights.map((_, k) => (k === nearest ? 1 : 0));
  const own = (k) =>
    draw && classes.draws
      ? part(classes.draws, (draw - 1) % classes.draws.shape[0], k)
      : part(classes.of_image, image, k);
  let code = new Float64Array(model.reconstruction.shape[1]);
  shares.forEach((share, k) => {
    if (share === 0) return;
    code = plus(code, part(classes.middle, k), share * (1 - kept));
    code = plus(code, own(k), share * kept);
  });
  return styles.reduce((sum, amount, j) => plus(sum, part(classes.styles, j), amount), code);
}
