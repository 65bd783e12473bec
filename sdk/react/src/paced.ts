/** Does things in order, `most` in any `perMs` milliseconds: a socket takes ten words a second. */
export function paced<T>(most: number, perMs: number, work: (one: T) => void): { add: (one: T) => void; drop: () => void } {
  let waiting: T[] = [];
  let done = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;

  function next(): void {
    while (waiting.length && done < most) {
      done++;
      work(waiting.shift()!);
    }
    if (done && timer === undefined) timer = setTimeout(again, perMs);
  }

  function again(): void {
    timer = undefined;
    done = 0;
    next();
  }

  return {
    add(one) {
      waiting.push(one);
      next();
    },
    drop() {
      waiting = [];
    },
  };
}
