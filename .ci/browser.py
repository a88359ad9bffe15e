"""Try the explorers of chapters in JupyterLab, in a real browser.

    python .ci/browser.py [NOTEBOOK ...]

Runs all cells of the notebooks (all chapters that have explorers, if none is named) on the
tests' small data, moves every control of every explorer, and times each new picture. Fails on
an error in a cell or an explorer, and on a control that leads to no new picture. Screenshots go
to .ci/screenshots."""
import contextlib
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from playwright.sync_api import Error, TimeoutError, sync_playwright

ROOT = Path(__file__).parent.parent
SHOTS = ROOT / ".ci" / "screenshots"
BROWSERS = ("chromium", "google-chrome", "chromium-browser")
VIEW = {"width": 1200, "height": 900}

# the kernel of the notebook in front, as JupyterLab keeps it
KERNEL = "window.jupyterapp?.shell?.currentWidget?.sessionContext?.session?.kernel"

RUN_ALL = "window.jupyterapp.commands.execute('notebook:run-all-cells')"

# the command above is done at an exercise's error already, with more cells to come
HAVE_ALL_RUN = """() => {
    const cells = Array.from(window.jupyterapp.shell.currentWidget.content.model.cells);
    const hasRun = cell => cell.type !== 'code' || cell.executionCount !== null;
    return cells.every(cell => hasRun(cell) || !cell.sharedModel.source.trim());
}"""

# when was the control touched, and when did the picture change?
WATCH = """box => {
    window.acted = window.changed = null;
    const before = box.querySelector('img')?.src;
    const act = () => window.acted ??= performance.now();
    for (const kind of ['keydown', 'change', 'click'])
        box.addEventListener(kind, act, {capture: true, once: true});
    new MutationObserver((_, observer) => {
        const now = box.querySelector('img')?.src;
        if (!now || now === before) return;
        window.changed = performance.now();
        observer.disconnect();
    }).observe(box, {subtree: true, childList: true, attributes: true});
}"""


def find_browser():
    "The path of the first browser that is installed."
    for name in BROWSERS:
        path = shutil.which(name)
        if path:
            return path
    raise SystemExit("no chromium or google-chrome: install one "
                     "(Debian: apt-get install chromium)")


def free_port():
    "A port that nobody listens on."
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def write_settings(folder):
    "JupyterLab's settings, in a folder of ours: it draws all cells, seen or not."
    place = folder / "@jupyterlab" / "notebook-extension"
    place.mkdir(parents=True)
    (place / "tracker.jupyterlab-settings").write_text('{"windowingMode": "none"}')


def start_lab(folder):
    """JupyterLab over a folder of notebooks; its process and its address.

    The folder holds copies: nothing that it saves touches ours."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    write_settings(folder / "settings")
    environment = os.environ | {
        "JUPYTERLAB_SETTINGS_DIR": str(folder / "settings"),
        "IN_TEST": "1",                                  # small data, no long training
    }
    environment.pop("CIFAR_COURSE_DATA", None)
    command = [
        sys.executable, "-m", "jupyterlab",
        "--no-browser",
        "--allow-root",
        "--expose-app-in-browser",
        f"--port={port}",
        f"--ServerApp.root_dir={folder}",
        "--IdentityProvider.token=",
        "--LabApp.news_url=",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    ]
    log = folder / "lab.log"
    with open(log, "w") as file:
        lab = subprocess.Popen(command, env=environment, stdout=file, stderr=file)
    for _ in range(120):
        try:
            urllib.request.urlopen(f"{url}/api", timeout=1).close()
            return lab, url
        except OSError:
            time.sleep(.5)
    lab.kill()
    raise SystemExit(f"JupyterLab did not start:\n{log.read_text()}")


def run_all(page, url, name):
    "Open a notebook, run all its cells, wait until the kernel has done them."
    page.goto(f"{url}/lab/tree/{name}?reset")
    page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=90_000)
    page.wait_for_function(f"{KERNEL}?.status === 'idle'", timeout=90_000)
    page.evaluate(RUN_ALL)
    with contextlib.suppress(TimeoutError):              # a cell's error says why, see below
        page.wait_for_function(HAVE_ALL_RUN, timeout=300_000)
    page.wait_for_function(f"{KERNEL}?.status === 'idle'", timeout=90_000)
    page.wait_for_timeout(2_000)                         # the last outputs are on their way


def choose_next(select):
    "Choose the option after the one that is chosen."
    n_options = len(select.query_selector_all("option"))
    now = select.evaluate("s => s.selectedIndex")
    select.select_option(index=(now + 1) % n_options)


def slide(page, handle):
    "One step to the right, or to the left where the slider is at its end."
    handle.focus()
    is_at_end = handle.get_attribute("aria-valuenow") == handle.get_attribute("aria-valuemax")
    page.keyboard.press("ArrowLeft" if is_at_end else "ArrowRight")


def type_in(field):
    "The text that the field proposes, or sizes of layers."
    proposed = field.get_attribute("placeholder") or ""
    proposed = proposed.strip("\u200b")                  # ipywidgets' empty one holds this
    field.fill(proposed or "128, 64")
    field.press("Enter")


def move(page, control):
    "Change one control as a user would."
    select = control.query_selector("select")
    box = control.query_selector("input[type=checkbox]")
    handle = control.query_selector(".noUi-handle")
    if select:
        choose_next(select)
    elif box:
        box.click()
    elif handle:
        slide(page, handle)
    else:
        type_in(control.query_selector("input[type=text]"))


def milliseconds_to_picture(page, box, action):
    "How long after the action the explorer showed a new picture; None where it showed none."
    page.evaluate(WATCH, box)
    action()
    try:
        page.wait_for_function("window.acted && window.changed", timeout=15_000)
    except Error:
        return None
    return page.evaluate("window.changed - window.acted")


def try_explorer(page, box, name):
    """Move every control; (notebook, what, milliseconds, has it a button?) for each, failures.

    With a button, the picture waits for the button."""
    button = box.query_selector("button")
    actions = []
    for control in box.query_selector_all(".widget-inline-hbox"):
        if not control.query_selector("select, input, .noUi-handle"):
            continue
        if button:
            move(page, control)
            continue
        label = control.query_selector(".widget-label").inner_text()
        actions.append((label, lambda control=control: move(page, control)))
    if button:
        actions = [("button", button.click)]
    rows, failures = [], []
    for what, action in actions:
        milliseconds = milliseconds_to_picture(page, box, action)
        if milliseconds is None:
            failures.append(f"{name}: {what} led to no new picture")
        else:
            rows.append((name, what, milliseconds, button is not None))
    if "b00020" in box.inner_html():                     # the red of an explorer's error
        failures.append(f"{name}: the explorer shows an error: {box.inner_text()}")
    return rows, failures


def texts(page, kind):
    "What the notebook's outputs of one kind say."
    found = page.query_selector_all(f"[data-mime-type='{kind}']")
    return [output.inner_text() for output in found]


def check_outputs(page, name, tags):
    "What is wrong in the outputs of a notebook that has run, whose cells carry these tags."
    failures = []
    for text in texts(page, "text/plain"):
        if text.startswith("<Figure"):
            failures.append(f"{name}: a figure is shown as the text {text!r}")
    if not page.evaluate(HAVE_ALL_RUN):
        failures.append(f"{name}: not all cells ran")
    n_unsolved = 0
    for text in texts(page, "application/vnd.jupyter.stderr"):         # tracebacks and warnings
        if "NotAnswered: Exercise" in text or "NotImplementedError: Exercise" in text:
            n_unsolved += 1
        else:
            failures.append(f"{name}: a cell says {text[-300:]!r}")
    if n_unsolved != tags.count("exercise"):
        failures.append(f"{name}: {n_unsolved} unsolved exercises ran, "
                        f"expected {tags.count('exercise')}")
    return failures


def check(page, url, path):
    "One chapter: no errors but those of unsolved exercises, and explorers that answer."
    name = path.name
    tags = []
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        tags += cell["metadata"].get("tags", [])
    run_all(page, url, name)
    rows, failures = [], check_outputs(page, name, tags)
    boxes = page.query_selector_all(".cifar-explorer")
    if len(boxes) != tags.count("explorer"):
        failures.append(f"{name}: {len(boxes)} explorers are shown, "
                        f"expected {tags.count('explorer')}")
    for i, box in enumerate(boxes, 1):
        box.scroll_into_view_if_needed()
        times, errors = try_explorer(page, box, name)
        rows += times
        failures += errors
        box.scroll_into_view_if_needed()
        page.screenshot(path=SHOTS / f"{path.stem}-{i}.png")
    return rows, failures


def chapters_with_explorers():
    "The notebooks of all chapters that have one."
    paths = sorted((ROOT / "nbs").glob("[0-9]*.ipynb"))
    return [path for path in paths if '"explorer"' in path.read_text(encoding="utf-8")]


def main():
    browser = find_browser()
    chapters = [Path(argument) for argument in sys.argv[1:]] or chapters_with_explorers()
    SHOTS.mkdir(exist_ok=True)
    rows, failures = [], []
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        for chapter in chapters:
            shutil.copy(chapter, folder)
        lab, url = start_lab(Path(folder))
        try:
            chromium = playwright.chromium.launch(
                executable_path=browser, args=["--no-sandbox"])
            page = chromium.new_page(viewport=VIEW)
            for chapter in chapters:
                times, errors = check(page, url, chapter)
                rows += times
                failures += errors
        finally:
            lab.terminate()
            lab.wait()
    for name, what, milliseconds, _ in rows:
        print(f"{name:28} {what:32} {milliseconds:7.0f} ms")
    quick = [milliseconds for *_, milliseconds, has_button in rows if not has_button]
    if quick:
        print(f"{len(quick)} controls of explorers that do not train: "
              f"median {statistics.median(quick):.0f} ms, worst {max(quick):.0f} ms")
    for failure in failures:
        print("FAILED", failure)
    return bool(failures)


if __name__ == "__main__":
    sys.exit(main())
