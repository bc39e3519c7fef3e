/**
 * Networks, layer by layer, as workflow/explorer/networks.py describes them.
 *
 * Activations are {values, height, width, channels}, channels innermost; a vector has one pixel.
 * Every layer with weights is sums of matrix-vector products, one for each pair of an output pixel
 * and an input pixel that it sees. double precision, because that is what the engine computes in.
 */

import { read } from "./arrays.js";

const vector = (values) => ({ values, height: 1, width: 1, channels: values.length });

/** outputs += matrix (m, n) times inputs, each beginning at its offset. */
function multiplyAdd(matrix, row, inputs, at, n, outputs, to, m) {
  let o = 0;
  // Eight rows at a time, so that an input is read once for all of them: a third of the time.
  for (; o + 7 < m; o += 8, row += 8 * n) {
    let a = 0,
      b = 0,
      c = 0,
      d = 0,
      e = 0,
      f = 0,
      g = 0,
      h = 0;
    for (let i = 0, w = row; i < n; i++, w++) {
      const x = inputs[at + i];
      a += matrix[w] * x;
      b += matrix[w + n] * x;
      c += matrix[w + 2 * n] * x;
      d += matrix[w + 3 * n] * x;
      e += matrix[w + 4 * n] * x;
      f += matrix[w + 5 * n] * x;
      g += matrix[w + 6 * n] * x;
      h += matrix[w + 7 * n] * x;
    }
    const p = to + o;
    outputs[p] += a;
    outputs[p + 1] += b;
    outputs[p + 2] += c;
    outputs[p + 3] += d;
    outputs[p + 4] += e;
    outputs[p + 5] += f;
    outputs[p + 6] += g;
    outputs[p + 7] += h;
  }
  for (; o < m; o++, row += n) {
    let sum = 0;
    for (let i = 0; i < n; i++) sum += matrix[row + i] * inputs[at + i];
    outputs[to + o] += sum;
  }
}

/** Weights (a, b, k, k) -> a matrix (outputs, inputs) for each place of the kernel. */
function byPlace(weights, outputsFirst) {
  const [first, second, side] = weights.shape;
  const [outputs, inputs] = outputsFirst ? [first, second] : [second, first];
  const places = side * side;
  const matrices = new Float64Array(weights.values.length);
  for (let place = 0; place < places; place++) {
    for (let o = 0; o < outputs; o++) {
      for (let i = 0; i < inputs; i++) {
        const pair = outputsFirst ? o * inputs + i : i * outputs + o;
        matrices[(place * outputs + o) * inputs + i] = weights.values[pair * places + place];
      }
    }
  }
  return { matrices, side, outputs, inputs };
}

/**
 * A convolution either way. `sizeOf` gives the outputs along an axis, and `sourceOf(to, place)` the
 * input that an output sees at a place of the kernel; where it is no pixel there is nothing.
 */
function slidingLayer(weight, bias, outputsFirst, sizeOf, sourceOf) {
  const { matrices, side, outputs, inputs } = byPlace(weight, outputsFirst);
  const seen = (to, size) => {
    const pairs = [];
    for (let place = 0; place < side; place++) {
      const from = sourceOf(to, place);
      if (Number.isInteger(from) && from >= 0 && from < size) pairs.push([place, from]);
    }
    return pairs;
  };
  return (input) => {
    const height = sizeOf(input.height, side);
    const width = sizeOf(input.width, side);
    const values = new Float64Array(height * width * outputs);
    const columns = Array.from({ length: width }, (_, x) => seen(x, input.width));
    for (let y = 0; y < height; y++) {
      const rows = seen(y, input.height);
      for (let x = 0; x < width; x++) {
        const to = (y * width + x) * outputs;
        values.set(bias, to);
        for (const [down, fromRow] of rows) {
          for (const [across, fromColumn] of columns[x]) {
            const matrix = (down * side + across) * outputs * inputs;
            const at = (fromRow * input.width + fromColumn) * inputs;
            multiplyAdd(matrices, matrix, input.values, at, inputs, values, to, outputs);
          }
        }
      }
    }
    return { values, height, width, channels: outputs };
  };
}

/** Activations with their values, or a copy, replaced element by element. */
const elementwise = (change) => (input) => ({ ...input, values: input.values.map(change) });

/** Channels innermost -> channels outermost, in a vector, as torch flattens; and back. */
function flattened({ values, height, width, channels }) {
  const pixels = height * width;
  return vector(values.map((_, i) => values[(i % pixels) * channels + Math.floor(i / pixels)]));
}

function unflattened({ values }, [channels, height, width]) {
  const pixels = height * width;
  const at = (i) => (i % channels) * pixels + Math.floor(i / channels);
  return { values: values.map((_, i) => values[at(i)]), height, width, channels };
}

function pooled({ values, height, width, channels }, size) {
  const [rows, columns] = [Math.floor(height / size), Math.floor(width / size)];
  const largest = new Float64Array(rows * columns * channels).fill(-Infinity);
  for (let y = 0; y < rows * size; y++) {
    for (let x = 0; x < columns * size; x++) {
      const to = (Math.floor(y / size) * columns + Math.floor(x / size)) * channels;
      const from = (y * width + x) * channels;
      for (let c = 0; c < channels; c++) {
        largest[to + c] = Math.max(largest[to + c], values[from + c]);
      }
    }
  }
  return { values: largest, height: rows, width: columns, channels };
}

export const sigmoid = (x) => 1 / (1 + Math.exp(-x));

/** log(1 + exp(x)), which would overflow as written. */
export const softplus = (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));

const LAYERS = {
  linear({ weight, bias }) {
    const [outputs, inputs] = weight.shape;
    return (input) => {
      const values = Float64Array.from(bias);
      multiplyAdd(weight.values, 0, input.values, 0, inputs, values, 0, outputs);
      return vector(values);
    };
  },
  convolution: ({ weight, bias, stride, padding }) =>
    slidingLayer(
      weight,
      bias,
      true,
      (size, side) => Math.floor((size + 2 * padding - side) / stride) + 1,
      (to, place) => to * stride - padding + place,
    ),
  transposed: ({ weight, bias, stride, padding }) =>
    slidingLayer(
      weight,
      bias,
      false,
      (size, side) => (size - 1) * stride - 2 * padding + side,
      (to, place) => (to + padding - place) / stride,
    ),
  affine:
    ({ factor, shift }) =>
    (input) => ({
      ...input,
      values: input.values.map((x, i) => x * factor[i % factor.length] + shift[i % factor.length]),
    }),
  relu: () => elementwise((x) => (x > 0 ? x : 0)),
  softplus: () => elementwise(softplus),
  sigmoid: () => elementwise(sigmoid),
  tanh: () => elementwise(Math.tanh),
  pool:
    ({ size }) =>
    (input) =>
      pooled(input, size),
  flatten: () => flattened,
  unflatten:
    ({ shape }) =>
    (input) =>
      unflattened(input, shape),
};

/** Layers and the bytes of their blob -> a function of activations. */
export function network(layers, bytes) {
  const steps = layers.map(({ layer, weight, ...rest }) => {
    const arrays = Object.entries(rest).map(([name, value]) => {
      const packed = typeof value === "object" && !Array.isArray(value);
      return [name, packed ? read(bytes, value).values : value];
    });
    return LAYERS[layer]({ weight: weight && read(bytes, weight), ...Object.fromEntries(arrays) });
  });
  return (input) => steps.reduce((activations, step) => step(activations), input);
}

/** A decoder: code -> picture, channels innermost, each value in [0, 1]. */
export function decoder(layers, bytes) {
  const compute = network(layers, bytes);
  return (code) => elementwise(sigmoid)(compute(vector(code)));
}
