/** The table of the page: a column per picture, a row per label with the judge's two bars. */

import { element, minus, paint } from "./widgets.js";

/** Log-probability at which a bar has no length left. */
const FLOOR = -10;

/** Change of a log-probability, in nats, that a reader should see. */
export const NOTABLE = 1;

/** Change of a log-probability that a bar can show: below the floor it is all the same. */
const changed = (before, after) => Math.max(after, FLOOR) - Math.max(before, FLOOR);

const length = (logProb) => `${(100 * (Math.max(logProb, FLOOR) - FLOOR)) / -FLOOR}%`;

function bars(title, row) {
  const [before, after] = ["before", "after"].map((name) => element("i", { className: name }));
  const value = element("span", { className: "value" });
  const cell = element(
    "td",
    { role: "cell", className: "bars" },
    element("span", { className: "pair" }, before, after),
    value,
  );
  return {
    cell,
    set(was, is) {
      cell.hidden = false;
      const known = is !== undefined;
      cell.classList.toggle("empty", !known);
      value.textContent = known ? minus(is, 1) : "";
      if (!known) return;
      before.style.width = length(was ?? is);
      after.style.width = length(is);
      const change = was === undefined ? 0 : changed(was, is);
      cell.classList.toggle("up", change >= NOTABLE);
      cell.classList.toggle("down", change <= -NOTABLE);
      const was_ = was === undefined ? "" : `, before ${minus(was)}`;
      cell.title = `${title}, ${row}: log-probability ${minus(is)}${was_}`;
    },
  };
}

/**
 * Make the table.
 *
 * `columns` are {id, title, colour, note}, `rows` are {name, head} with `head` the content of the
 * row's heading. `onFocus` is told the column whose heading is pressed.
 */
export function bench({ columns, rows, corner, onFocus }) {
  const made = columns.map(({ id, title, colour, note, name }) => {
    const canvas = element("canvas", { role: "img", "aria-label": title, className: "picture" });
    const caption = element("span", { className: "caption" });
    const press = element(
      "button",
      { type: "button", className: "title", title: note ?? title },
      title,
    );
    press.addEventListener("click", () => onFocus(id));
    const head = element(
      "th",
      { role: "columnheader", scope: "col", style: `--own: ${colour}` },
      element("span", { className: "frame" }, canvas, caption),
      press,
    );
    const cells = rows.map((row) => bars(title, row.name));
    return {
      id,
      head,
      cells,
      canvas,
      press,
      caption,
      /** Show a picture, or a sentence in its place. */
      show(picture, label) {
        head.classList.toggle("without", typeof picture === "string");
        if (typeof picture === "string") caption.textContent = picture;
        else {
          caption.textContent = "";
          paint(canvas, picture);
        }
        canvas.setAttribute(
          "aria-label",
          typeof picture === "string" ? `${title}: ${picture}` : label,
        );
      },
      read: (before, after) => cells.forEach((cell, i) => cell.set(before?.[i], after?.[i])),
    };
  });
  const head = element(
    "tr",
    { role: "row" },
    element("th", { role: "columnheader", scope: "col", className: "corner" }, ...[corner].flat()),
    made.map((column) => column.head),
  );
  const body = rows.map((row, i) =>
    element(
      "tr",
      { role: "row" },
      element("th", { role: "rowheader", scope: "row" }, row.head),
      made.map((column) => {
        column.cells[i].cell.style.setProperty(
          "--own",
          columns.find(({ id }) => id === column.id).colour,
        );
        return column.cells[i].cell;
      }),
    ),
  );
  const table = element(
    "table",
    { role: "table", className: "bench" },
    element("thead", { role: "rowgroup" }, head),
    element("tbody", { role: "rowgroup" }, body),
  );
  return {
    element: table,
    rows: body,
    columns: Object.fromEntries(made.map((column) => [column.id, column])),
    focus(chosen) {
      for (const { id, head: heading, cells, press } of made) {
        press.setAttribute("aria-pressed", id === chosen);
        heading.classList.toggle("focused", id === chosen);
        cells.forEach(({ cell }) => cell.classList.toggle("focused", id === chosen));
      }
    },
  };
}

/**
 * A sentence on what a judge says of a picture: of the labels that were asked to change, and of
 * those that moved beside them; or, where nothing was asked, of what differs from `than`.
 */
export function reading(title, names, before, after, asked, than) {
  const change = (i) => `${names[i]} from ${minus(before[i], 1)} to ${minus(after[i], 1)}`;
  const size = (i) => Math.abs(changed(before[i], after[i]));
  const others = names
    .map((_, i) => i)
    .filter((i) => !asked.includes(i) && size(i) >= NOTABLE)
    .sort((i, j) => size(j) - size(i))
    .slice(0, 4)
    .map(change)
    .join(", ");
  const first = asked.length
    ? `the judge’s log-probability of ${asked.map(change).join(", ")}`
    : "";
  const rest = asked.length
    ? ["moved as well", "no other label moved by a nat"]
    : [`other than ${than}`, `no label differs from ${than} by a nat`];
  return `${title}: ${[first, others ? `${rest[0]}: ${others}` : rest[1]].filter(Boolean).join("; ")}.`;
}
