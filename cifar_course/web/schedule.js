// The learning rate over a run, by the schedules of chapter 9.
import { SCHEDULES } from "./numbers.js";
import { explorer, lineChart, percent, short } from "./panel.js";

// Rates over a run up to ten to the `peak`: a linear warm-up, then the schedule.
export function computeSchedule({ name, peak, warm_up }) {
  const rates = [];
  for (let i = 0; i <= 200; i++) {
    const t = i / 200;
    const isWarming = t < warm_up;
    const share = isWarming ? t / warm_up : SCHEDULES[name]((t - warm_up) / (1 - warm_up));
    rates.push(10 ** peak * share);
  }
  return rates;
}

// The mean of numbers.
function meanOf(values) {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

// What the curve says, in words.
function scheduleWords(rates, { name }) {
  const highest = Math.max(...rates);
  const share = percent(meanOf(rates) / highest);
  return `${name}: from ${short(rates[0])} to ${short(rates.at(-1))}, at most ` +
    `${short(highest)}. Mean rate ${short(meanOf(rates))}, ${share} of the highest.`;
}

// The curve of the rates.
function scheduleChart(rates, settings) {
  const points = rates.map((rate, i) => [i / 200, rate]);
  return lineChart({
    series: [{ name: settings.name, points, colour: "var(--live-a)" }],
    xRange: [0, 1], yRange: [0, 1.05 * Math.max(...rates)],
    xName: "progress", yName: "learning rate", alt: scheduleWords(rates, settings),
  });
}

export default {
  render: explorer({
    title: "a schedule",
    controls: {
      name: { label: "schedule", options: Object.keys(SCHEDULES) },
      peak: { label: "peak, 10 to the", min: -5, max: 0, step: 0.25 },
      warm_up: { label: "warm-up, share of the run", min: 0, max: 0.5, step: 0.05 },
    },
    start: { name: "one_cycle", peak: -3, warm_up: 0 },
    compute: computeSchedule,
    picture: scheduleChart,
    words: scheduleWords,
  }),
};
