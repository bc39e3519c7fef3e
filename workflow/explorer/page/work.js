/** Work in small pieces between two frames, so that the page follows the pointer. */

const PIECE_MS = 12;

/** Jobs by name; a newer job takes the place of an older one that was not yet done. */
export function worker() {
  const jobs = new Map();
  let asleep = true;
  function turn() {
    const until = performance.now() + PIECE_MS;
    for (const [name, job] of jobs) {
      jobs.delete(name);
      job();
      if (performance.now() > until) break;
    }
    asleep = jobs.size === 0;
    document.documentElement.dataset.idle = asleep;
    if (!asleep) requestAnimationFrame(turn);
  }
  return {
    ask(name, job) {
      jobs.set(name, job);
      document.documentElement.dataset.idle = false;
      if (asleep) requestAnimationFrame(turn);
      asleep = false;
    },
    forget: () => jobs.clear(),
  };
}
