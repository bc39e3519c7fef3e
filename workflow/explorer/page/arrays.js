/** Arrays, as workflow/explorer/arrays.py packs them. */

/** Base64 of deflated bytes -> bytes. */
export async function inflated(text) {
  const packed = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
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

/** One array of a blob: its values in double precision, and its shape. */
export function read(bytes, { at, shape, type, steps }) {
  const count = shape.reduce((product, side) => product * side, 1);
  const values = new Float64Array(count);
  const plane = (number) => bytes.subarray(at + number * count, at + (number + 1) * count);
  if (type === "int8") {
    const scale = read(bytes, steps).values;
    const row = count / shape[0];
    const whole = new Int8Array(plane(0));
    for (let i = 0; i < count; i++) values[i] = whole[i] * scale[Math.floor(i / row)];
  } else if (type === "float16") {
    const [low, high] = [plane(0), plane(1)];
    for (let i = 0; i < count; i++) values[i] = half(low[i] | (high[i] << 8));
  } else {
    const planes = [0, 1, 2, 3].map(plane);
    const word = new DataView(new ArrayBuffer(4));
    for (let i = 0; i < count; i++) {
      planes.forEach((bytesOf, number) => word.setUint8(number, bytesOf[i]));
      values[i] = word.getFloat32(0, true);
    }
  }
  return { values, shape };
}
