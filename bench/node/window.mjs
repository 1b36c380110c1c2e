/**
 * Publishing with a bounded number of messages in flight, for systems whose client has no such window of its own.
 *
 * @param post `(body, done) => void`: publishes, and calls `done(error?)` at the confirm.
 * @param size Messages in flight at most; the pump goes on when half of them are confirmed.
 */
export const windowed = (post, size) => {
  let open = 0;
  let wanted = -1;
  let wake;
  let failure;
  const done = (error) => {
    open--;
    if (error) failure ??= error;
    if (wake && open <= wanted) {
      wake();
      wake = undefined;
    }
  };
  const below = async (count) => {
    while (open > count) {
      wanted = count;
      await new Promise((resolve) => {
        wake = resolve;
      });
    }
    if (failure) throw failure;
  };
  const offer = (body) => {
    open++;
    post(body, done);
  };
  return {
    offer,
    flush: () => below(0),
    publish: (body) => new Promise((resolve, reject) => post(body, (error) => (error ? reject(error) : resolve()))),
    async pump(body, count) {
      for (let n = 0; n < count; n++) {
        offer(body(n));
        if (open >= size) await below(size / 2);
      }
      await below(0);
    },
  };
};
