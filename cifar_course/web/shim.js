// Runs the live explorers of a page that has no kernel: each element with data-live="race" is
// given to race.js, in the form that anywidget would give it.

// A model as anywidget's: it holds the state, and tells who listens.
function pageModel({ state, numbers }) {
  const listeners = {};
  const values = { state: JSON.parse(state || "{}") };
  return {
    get(key) {
      if (key === "data") return fetchNumbers(numbers);
      return values[key];
    },
    set(key, value) {
      values[key] = value;
      for (const listener of listeners[`change:${key}`] ?? []) listener();
    },
    on(event, listener) {
      (listeners[event] ??= []).push(listener);
    },
    save_changes() {},                                   // there is nobody to tell
  };
}

// The numbers that Python wrote for an explorer: the file that the page names, if it does.
async function fetchNumbers(file) {
  if (!file) return null;
  const answer = await fetch(new URL(`./${file}`, import.meta.url));
  return answer.json();
}

// Puts an explorer in the place of the words that stand there for readers without JavaScript.
async function enliven(place) {
  const module = await import(`./${place.dataset.live}.js`);
  await module.default.render({ model: pageModel(place.dataset), el: place });
}

for (const place of document.querySelectorAll("[data-live]")) {
  enliven(place).catch((error) => console.error(`${place.dataset.live}: ${error}`));
}
