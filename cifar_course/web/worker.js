// Trains beside the page, so that the page never waits. The page sends { pictures }, then
// { settings } to begin anew and { run: true or false }; it is sent reports.
import { Trainer, standardised } from "./trainer.js";

const MOST_EPOCHS = 200;
const SLICE = 60;                                        // ms between two looks at the messages

let pictures = null;
let trainer = null;
let isRunning = false;
let isLooping = false;

// Sends what the trainer has to show, and the number of the settings that it shows.
function tell() {
  postMessage({ id: trainer.settings.id, ...trainer.report() });
}

// Trains in slices as long as the page wants it.
async function loop() {
  if (isLooping) return;
  isLooping = true;
  while (isRunning) {
    const end = performance.now() + SLICE;
    while (performance.now() < end && isRunning) {
      trainer.step();
      if (trainer.isDue()) tell();
      if (trainer.epochs >= MOST_EPOCHS) isRunning = false;
    }
    await new Promise((resolve) => setTimeout(resolve));
  }
  isLooping = false;
}

onmessage = ({ data }) => {
  if (data.pictures) {
    const { bytes, mean, std, ...rest } = data.pictures;
    pictures = { ...rest, x: standardised(bytes, mean, std) };
  }
  if (data.settings) {
    trainer = new Trainer(pictures, data.settings);
    tell();
  }
  if (data.run !== undefined) isRunning = data.run;
  if (isRunning) loop();
};
