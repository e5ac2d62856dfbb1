// Streamlit calls the door once per change of the data, after the script has come. When the data change while it is on its way,
// it makes both calls, in either order, and then at once the cleanup of the one that was overtaken: that must not take down
// what the other has drawn, and must not leave the older data on the canvas.

const REMEMBERED = 8;

/** One element's calls: `show` draws one, `end` takes all down, `isThere` says whether the element is still in the page. */
export function createTurns({ show, end, isThere }) {
  let calls = [];
  return (call) => {
    calls = [...calls, call].slice(-REMEMBERED);
    show(call);
    return () => {
      if (!isThere()) {
        end();
        return;
      }
      const shown = calls.at(-1);
      calls = calls.filter((other) => other !== call);
      if (shown === call && calls.length > 0) show(calls.at(-1));
    };
  };
}
