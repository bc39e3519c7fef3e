/** Small parts of the page: elements, pictures, sliders with marks. */

/** An element with properties and children; keys with a dash are attributes. */
export function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name === "style") made.style.cssText = value;
    else if (name.includes("-") || !(name in made)) made.setAttribute(name, value);
    else made[name] = value;
  }
  made.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return made;
}

export const minus = (value, digits = 2) =>
  // No sign in front of what is nothing once it is rounded.
  value.toFixed(digits).replace(/^-(?=0(\.0*)?$)/, "").replace("-", "−");

/** Put a picture, values in [0, 1] with channels innermost, on a canvas. */
export function paint(canvas, { values, height, width, channels }) {
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  const pixels = new ImageData(width, height);
  for (let p = 0; p < width * height; p++) {
    for (let c = 0; c < 3; c++) {
      // The array rounds and clips by itself.
      pixels.data[4 * p + c] = 255 * values[p * channels + (channels === 1 ? 0 : c)];
    }
    pixels.data[4 * p + 3] = 255;
  }
  canvas.getContext("2d").putImageData(pixels, 0, 0);
}

/** A sheet of tiles -> a function from row and column to a picture. */
export async function tilesOf(url, [channels, height, width]) {
  const sheet = new Image();
  sheet.src = url;
  await sheet.decode();
  const canvas = element("canvas", { width: sheet.width, height: sheet.height });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(sheet, 0, 0);
  return (row, column) => {
    const { data } = context.getImageData(column * width, row * height, width, height);
    const values = Float64Array.from({ length: width * height * channels }, (_, i) => {
      return data[4 * Math.floor(i / channels) + (i % channels)] / 255;
    });
    return { values, height, width, channels };
  };
}

/** A range input with marks below it, each {at, name, kind, colour}; `set` moves it silently. */
export function slider({ name, least, most, marks = [], onInput, format }) {
  const step = (most - least) / 200;
  const input = element("input", {
    type: "range",
    min: least,
    max: most,
    step: "any",
    "aria-label": name,
  });
  const places = element("span", { className: "marks", "aria-hidden": "true" });
  const set = (value) => {
    input.value = value;
    input.setAttribute("aria-valuetext", format(Number(input.value)));
  };
  input.addEventListener("input", () => {
    set(Number(input.value));
    onInput(Number(input.value));
  });
  // `step: any` leaves arrow keys to the browser, which would take steps of 1.
  input.addEventListener("keydown", (event) => {
    const turns = {
      ArrowRight: 1,
      ArrowUp: 1,
      ArrowLeft: -1,
      ArrowDown: -1,
      PageUp: 20,
      PageDown: -20,
    };
    const ends = { Home: least, End: most };
    if (!(event.key in turns) && !(event.key in ends)) return;
    event.preventDefault();
    const from = Number(input.value);
    const wanted =
      event.key in ends
        ? ends[event.key]
        : from + turns[event.key] * step * (event.shiftKey ? 10 : 4);
    set(Math.min(Math.max(wanted, least), most));
    onInput(Number(input.value));
  });
  const mark = (list) =>
    places.replaceChildren(
      ...list
        .filter(({ at }) => at >= least && at <= most)
        .map(({ at, name: title, kind, colour }) =>
          element("i", {
            className: kind,
            title,
            style: `--at: ${(at - least) / (most - least)}; --own: ${colour ?? "currentColor"}`,
          }),
        ),
    );
  mark(marks);
  return { element: element("span", { className: "slider" }, input, places), input, set, mark };
}
