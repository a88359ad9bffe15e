"""Open chapters in JupyterLab in a real browser, run all cells, move every control of every explorer, and time each new picture.

python .ci/browser.py [NOTEBOOK ...]     (all chapters that have explorers, if none is named)
Fails on an error in a cell or an explorer, and on a control that leads to no new picture. Screenshots go to .ci/screenshots."""
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

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).parent.parent
SHOTS = ROOT / ".ci" / "screenshots"
BROWSER = next((path for name in ("chromium", "google-chrome", "chromium-browser") if (path := shutil.which(name))), None)

WATCH = """box => {                       // when was the control touched, when did the picture change?
    window.acted = window.changed = null;
    const before = box.querySelector('img')?.src;
    for (const kind of ['keydown', 'change', 'click'])
        box.addEventListener(kind, () => window.acted ??= performance.now(), {capture: true, once: true});
    new MutationObserver((_, observer) => {
        const now = box.querySelector('img')?.src;
        if (now && now !== before) { window.changed = performance.now(); observer.disconnect(); }
    }).observe(box, {subtree: true, childList: true, attributes: true});
}"""

def start_lab(folder: Path) -> tuple[subprocess.Popen, str]:
    "JupyterLab over a copy of the notebooks, so that nothing it saves touches ours; the process and its address."
    with socket.socket() as free: free.bind(("127.0.0.1", 0)); port = free.getsockname()[1]
    settings = folder / "settings" / "@jupyterlab" / "notebook-extension"
    settings.mkdir(parents=True)
    (settings / "tracker.jupyterlab-settings").write_text('{"windowingMode": "none"}')        # draw all cells, seen or not
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", f"--port={port}", "--IdentityProvider.token=", "--allow-root",
               f"--ServerApp.root_dir={folder}", "--expose-app-in-browser", "--LabApp.news_url=", "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"]
    environment = {**os.environ, "JUPYTERLAB_SETTINGS_DIR": str(folder / "settings")}
    environment.pop("CIFAR_COURSE_DATA", None)
    lab = subprocess.Popen(command, env=environment, stdout=open(folder / "lab.log", "w"), stderr=subprocess.STDOUT)
    for _ in range(120):
        try: urllib.request.urlopen(f"http://127.0.0.1:{port}/api", timeout=1); return lab, f"http://127.0.0.1:{port}"
        except OSError: time.sleep(.5)
    lab.kill()
    raise SystemExit(f"JupyterLab did not start:\n{(folder / 'lab.log').read_text()}")

def run_all(page, url: str, name: str) -> None:
    "Open a notebook, run all its cells, wait until the kernel has done them."
    page.goto(f"{url}/lab/tree/{name}?reset")
    page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=90_000)
    kernel = "window.jupyterapp?.shell?.currentWidget?.sessionContext?.session?.kernel"
    page.wait_for_function(f"{kernel}?.status === 'idle'", timeout=90_000)
    page.evaluate("window.done = false; window.jupyterapp.commands.execute('notebook:run-all-cells').finally(() => window.done = true)")
    page.wait_for_function(f"window.done && {kernel}?.status === 'idle'", timeout=300_000)
    page.wait_for_timeout(2_000)                         # the last outputs are still on their way

def move(page, control) -> str:
    "Change one control as a user would; what was done."
    if (select := control.query_selector("select")):
        options, now = select.query_selector_all("option"), select.evaluate("s => s.selectedIndex")
        select.select_option(index=(now + 1) % len(options))
        return "select"
    if (box := control.query_selector("input[type=checkbox]")):
        box.click()
        return "click"
    if (handle := control.query_selector(".noUi-handle")):
        handle.focus()
        page.keyboard.press("ArrowLeft" if handle.get_attribute("aria-valuenow") == handle.get_attribute("aria-valuemax") else "ArrowRight")
        return "slide"
    text = control.query_selector("input[type=text]")
    text.fill((text.get_attribute("placeholder") or "").strip("\u200b") or "128, 64")     # ipywidgets' empty placeholder is a space of no width
    text.press("Enter")
    return "type"

def try_explorer(page, box, failures: list, name: str) -> list[tuple[str, float]]:
    "Move every control; (what, milliseconds to the new picture) for each. With a button, the picture waits for the button."
    times, button = [], box.query_selector("button")
    controls = [c for c in box.query_selector_all(".widget-inline-hbox") if c.query_selector("select, input, .noUi-handle")]
    def act(what, action):
        page.evaluate(WATCH, box)
        action()
        try: page.wait_for_function("window.acted && window.changed", timeout=15_000)
        except Exception: return failures.append(f"{name}: {what} led to no new picture")
        times.append((what, page.evaluate("window.changed - window.acted")))
    for control in controls:
        label = control.query_selector(".widget-label").inner_text()
        if button: move(page, control)
        else: act(label, lambda: move(page, control))
    if button: act("button", button.click)
    if "b00020" in box.inner_html(): failures.append(f"{name}: the explorer shows an error: {box.inner_text()}")
    return times

def check(page, url: str, path: Path, rows: list, failures: list) -> None:
    "One chapter: no errors but those of unsolved exercises, and explorers that answer."
    name, cells = path.name, json.loads(path.read_text(encoding="utf-8"))["cells"]
    tags = [tag for cell in cells for tag in cell["metadata"].get("tags", [])]
    run_all(page, url, name)
    errors = [e.inner_text() for e in page.query_selector_all("[data-mime-type='application/vnd.jupyter.stderr']")]          # tracebacks and warnings alike
    failures += [f"{name}: a figure is shown as the text {e.inner_text()!r}" for e in page.query_selector_all("[data-mime-type='text/plain']") if e.inner_text().startswith("<Figure")]
    unsolved = [e for e in errors if "NotImplementedError: Exercise" in e]
    failures += [f"{name}: a cell says {e[-300:]!r}" for e in errors if e not in unsolved]
    if len(unsolved) != tags.count("exercise"): failures.append(f"{name}: {len(unsolved)} unsolved exercises ran, expected {tags.count('exercise')}")
    boxes = page.query_selector_all(".cifar-explorer")
    if len(boxes) != tags.count("explorer"): failures.append(f"{name}: {len(boxes)} explorers are shown, expected {tags.count('explorer')}")
    for i, box in enumerate(boxes):
        box.scroll_into_view_if_needed()
        has_button = box.query_selector("button") is not None
        rows += [(name, what, ms, has_button) for what, ms in try_explorer(page, box, failures, name)]
        box.scroll_into_view_if_needed()
        page.screenshot(path=SHOTS / f"{path.stem}-{i + 1}.png")

def main() -> int:
    if BROWSER is None: raise SystemExit("no chromium or google-chrome: install one (Debian: apt-get install chromium)")
    chapters = [Path(a) for a in sys.argv[1:]] or sorted(p for p in (ROOT / "nbs").glob("[0-9]*.ipynb") if '"explorer"' in p.read_text(encoding="utf-8"))
    SHOTS.mkdir(exist_ok=True)
    rows, failures = [], []
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        for chapter in chapters: shutil.copy(chapter, folder)
        lab, url = start_lab(Path(folder))
        try:
            page = playwright.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"]).new_page(viewport={"width": 1200, "height": 900})
            for chapter in chapters: check(page, url, chapter, rows, failures)
        finally: lab.terminate(); lab.wait()
    for name, what, ms, _ in rows: print(f"{name:28} {what:32} {ms:7.0f} ms")
    quick = [ms for *_, ms, has_button in rows if not has_button]
    if quick: print(f"{len(quick)} controls of explorers that do not train: median {statistics.median(quick):.0f} ms, worst {max(quick):.0f} ms")
    for failure in failures: print("FAILED", failure)
    return bool(failures)

if __name__ == "__main__": sys.exit(main())
