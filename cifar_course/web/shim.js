// Runs the live explorers of a page that has no kernel: each element with data-live="race" is
// given to race.js, in the form that anywidget would give it.

// A model as anywidget's: it holds the state, and tells who listens.
function pageModel(name, state) {
  const listeners = {};
  const values = { state, data: undefined };
  return {
    get(key) {
      if (key === "data") return fetchData(name);
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

// The numbers that Python wrote for an explorer; nothing, for those that need none.
async function fetchData(name) {
  if (name !== "depth") return null;
  const answer = await fetch(new URL(`./${name}.json`, import.meta.url));
  return answer.json();
}

// Puts an explorer in the place of the words that stand there for readers without JavaScript.
async function enliven(place) {
  const name = place.dataset.live;
  const module = await import(`./${name}.js`);
  const model = pageModel(name, JSON.parse(place.dataset.state || "{}"));
  await module.default.render({ model, el: place });
}

for (const place of document.querySelectorAll("[data-live]")) {
  enliven(place).catch((error) => console.error(`${place.dataset.live}: ${error}`));
}
