/** Arrays, as workflow/explorer/arrays.py packs them. */

/** Base64 of deflated bytes -> bytes. */
export async function inflated(text) {
  const letters = atob(text);
  const packed = new Uint8Array(letters.length);
  for (let i = 0; i < packed.length; i++) packed[i] = letters.charCodeAt(i);
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** Sign, 5 bits of exponent and 10 of fraction (IEEE 754 binary16) -> number. */
function half(bits) {
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  const size = exponent === 0 ? fraction * 2 ** -24 : (1 + fraction / 1024) * 2 ** (exponent - 15);
  return bits >> 15 ? -size : size;
}

/** All of them: a table is read ten times faster than it is computed. */
const HALVES = Float64Array.from({ length: 65536 }, (_, bits) => half(bits));

const READERS = {
  float16(planes, values) {
    const [low, high] = planes;
    for (let i = 0; i < values.length; i++) values[i] = HALVES[low[i] | (high[i] << 8)];
  },
  float32(planes, values) {
    const whole = new Uint8Array(4 * values.length);
    planes.forEach((plane, number) => {
      for (let i = 0; i < plane.length; i++) whole[4 * i + number] = plane[i];
    });
    // Every engine that runs this page is little-endian.
    values.set(new Float32Array(whole.buffer));
  },
  int8([plane], values, steps) {
    const row = values.length / steps.length;
    for (let r = 0; r < steps.length; r++) {
      for (let i = r * row; i < (r + 1) * row; i++) values[i] = ((plane[i] << 24) >> 24) * steps[r];
    }
  },
};
const BYTES = { float16: 2, float32: 4, int8: 1 };

/** One array of a blob: its values in double precision, and its shape. */
export function read(bytes, { at, shape, type, steps }) {
  const count = shape.reduce((product, side) => product * side, 1);
  const values = new Float64Array(count);
  const planes = Array.from({ length: BYTES[type] }, (_, number) =>
    bytes.subarray(at + number * count, at + (number + 1) * count),
  );
  READERS[type](planes, values, steps && read(bytes, steps).values);
  return { values, shape };
}
