"""Try the live pages in a real browser: without a kernel, without Quarto, without a network.

    python .ci/live.py [NAME ...]

Serves each explorer of cifar_course/web (all, if none is named; `playground` is one too) in a
bare page and moves its controls. Fails on a console error, a request to another host, a control
that changes nothing, and a playground that does not learn or lets the page wait. Screenshots go
to .ci/screenshots."""
import functools
import http.server
import sys
import tempfile
import threading
from pathlib import Path

from browser import find_browser
from playwright.sync_api import sync_playwright

from cifar_course.web.live import EXPLORERS, live, web_data

SHOTS = Path(__file__).parent / "screenshots"
VIEWS = {
    "desktop": {"viewport": {"width": 1200, "height": 900}},
    "phone": {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True,
              "color_scheme": "dark"},
}
PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{name}</title>
<link rel="icon" href="data:,"><meta name="viewport" content="width=device-width">
<style>:root {{ color-scheme: light dark }} body {{ font-family: sans-serif }}</style></head>
<body><main>{live}</main></body></html>"""

# the step's last stage shows what every control does
STATES = {"walk": {"stage": 10}}

# Text, lines and pixels of the live page, so that a change of any is seen.
LOOK = """() => {
    const box = document.querySelector('.cifar-live');
    const canvases = [...box.querySelectorAll('canvas')].map(each => each.toDataURL());
    const outputs = [...box.querySelectorAll('svg, table, .words')].map(each => each.outerHTML);
    return [...outputs, ...canvases].join();
}"""

# The longest time that the page did not answer, in ms, from here on.
WATCH_GAPS = """() => {
    window.longest = 0;
    let before = performance.now();
    const channel = new MessageChannel();
    channel.port1.onmessage = () => {
        const now = performance.now();
        window.longest = Math.max(window.longest, now - before);
        before = now;
        setTimeout(() => channel.port2.postMessage(0), 5);
    };
    channel.port2.postMessage(0);
}"""


class Quiet(http.server.SimpleHTTPRequestHandler):
    "Serves files and says nothing."
    def log_message(self, *_):
        "Nothing."


def serve(folder):
    "The address of a server over a folder, which ends with this program."
    handler = functools.partial(Quiet, directory=folder)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}"


class Watched:
    "A page that may ask our own server only, and what went wrong in it."
    def __init__(self, browser, url, view):              # view: settings of a browser's page
        self.faults = []
        self.page = browser.new_page(**view)
        self.page.set_default_timeout(30_000)
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.faults.append(f"error: {error}"))
        self.page.route(lambda asked: not asked.startswith(url), self._refuse)

    def _console(self, message):
        if message.type in ("error", "warning"):
            self.faults.append(f"console: {message.text}")

    def _refuse(self, route):
        if not route.request.url.startswith(("data:", "blob:")):
            self.faults.append(f"asks for {route.request.url}")
        route.abort()

    def expect(self, is_so, fault):
        "Note a fault unless it is so."
        if not is_so:
            self.faults.append(fault)


def move(control):
    "Give a control another value, as a reader would."
    kind = control.evaluate("each => each.type")
    if kind == "range":
        control.focus()
        key = control.evaluate("each => each.value === each.max ? 'ArrowLeft' : 'ArrowRight'")
        for _ in range(3):
            control.press(key)
    elif kind == "checkbox":
        control.click()
    elif kind == "text":
        control.fill("16, 8")
        control.press("Enter")
    else:
        options = control.evaluate("each => [...each.options].map(option => option.value)")
        now = control.input_value()
        place = (options.index(now) + 1) % len(options)
        control.select_option(options[place])


PUT_BACK = """(each, before) => {
    if (each.type === 'checkbox') each.checked = before === 'true';
    else each.value = before;
    each.dispatchEvent(new Event('input'));
    each.dispatchEvent(new Event('change'));
}"""


def move_all(watched, what_changes):
    "Move each control and put it back; note those after which `what_changes` stays the same."
    page = watched.page
    n = page.locator(".cifar-live .controls :is(input, select)").count()
    watched.expect(n > 0, "no control")
    for i in range(n):
        control = page.locator(".cifar-live .controls :is(input, select)").nth(i)
        name = control.evaluate("each => each.closest('label')?.innerText.split('\\n')[0]")
        watched.expect(name, f"control {i} has no label")
        value = control.evaluate("each => `${each.type === 'checkbox' ? each.checked : "
                                 "each.value}`")
        before = what_changes(page)
        move(control)
        page.wait_for_timeout(100)
        watched.expect(what_changes(page) != before, f"{name}: nothing changes")
        control.evaluate(PUT_BACK, value)


def check_layout(watched):
    "Nothing may stand out to the side; on a phone, what is touched is 44 pixels high."
    page = watched.page
    room = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    watched.expect(room[0] <= room[1], f"{room[0]} pixels wide in {room[1]}")
    touched = ".cifar-live :is(button, select, input:not([type=checkbox]), label.check)"
    if page.evaluate("matchMedia('(pointer: coarse)').matches"):
        for control in page.locator(touched).all():
            height = control.bounding_box()["height"]
            watched.expect(height >= 44, f"a control is only {height} pixels high")


def words_of(page):
    "What a live page says of its state."
    return page.locator(".cifar-live .words").inner_text()


def check_cells(watched):
    "In a picture of cells, arrows and clicks open others, and the focus stays on the open one."
    page = watched.page
    page.locator(".cifar-live [data-focus]").focus()
    for key in ("ArrowLeft", "ArrowUp", "ArrowRight", "ArrowDown"):
        before = words_of(page)
        page.keyboard.press(key)
        watched.expect(words_of(page) != before, f"{key}: no other cell opens")
        is_open = page.evaluate("'focus' in document.activeElement.dataset")
        watched.expect(is_open, f"{key}: the focus is lost")
    before = words_of(page)
    page.locator(".cifar-live td > button").last.click()
    watched.expect(words_of(page) != before, "a click opens no cell")


def check_explorer(watched):
    "Every control of an explorer changes its picture or its words."
    page = watched.page
    page.wait_for_selector(".cifar-live .words")
    move_all(watched, lambda page: page.evaluate(LOOK))
    watched.expect(len(words_of(page)) > 20, "no words beside the picture")
    if page.locator(".cifar-live [data-focus]").count():
        check_cells(watched)


def check_playground(watched):
    "It learns at once, the page answers meanwhile, and the address holds the settings."
    page = watched.page
    page.wait_for_function("document.querySelector('.words')?.innerText.startsWith('Not')")
    page.evaluate(WATCH_GAPS)
    start = page.evaluate("performance.now()")
    page.click("button.main")
    page.wait_for_function("document.querySelector('.words').innerText.startsWith('After')",
                           timeout=5_000)
    first = page.evaluate("performance.now()") - start
    page.wait_for_timeout(8_000)
    words = words_of(page)
    longest = page.evaluate("window.longest")
    print(f"  first report {first:.0f} ms after the press, the page waits {longest:.0f} ms at "
          f"most\n  {words}")
    watched.expect(first < 2000, "it takes more than two seconds to the first report")
    watched.expect("epochs a second" in words, "no pace is told")
    watched.expect(longest < 300, f"the page does not answer for {longest:.0f} ms")
    right = int(words.split(" % ")[0].split()[-1])
    watched.expect(right > 30, f"{right} % right after eight seconds")
    page.click("button.main")
    page.evaluate("document.querySelector('.cifar-live details').open = true")
    page.wait_for_timeout(300)
    still = words_of(page)
    page.wait_for_timeout(1_000)
    watched.expect(words_of(page) == still, "it does not pause")
    page.screenshot(path=SHOTS / f"live-trained-{page.viewport_size['width']}.png",
                    full_page=True)
    move_all(watched, lambda page: page.url)
    page.wait_for_timeout(500)
    check_address(watched)


def check_address(watched):
    "The address sets the controls, and a network that breaks is said to be broken."
    page = watched.page
    page.goto(page.url.split("?")[0] + "?rate=10&optimizer=sgd&activation=linear")
    page.wait_for_function("document.querySelector('.words')?.innerText.startsWith('Not')")
    page.evaluate("document.querySelector('.cifar-live details').open = true")
    rate = page.locator("label", has_text="learning rate").locator("select").input_value()
    watched.expect(rate == "10", f"the address asks for rate 10, the control says {rate}")
    page.click("button.main")
    page.wait_for_function("document.querySelector('.words').innerText.includes('has broken')")
    page.click("button.main")


def check_page(browser, url, name, view):
    "Open one live page, try it, and print what went wrong; gives how many faults there are."
    watched = Watched(browser, url, VIEWS[view])
    watched.page.goto(f"{url}/{name}.html")
    watched.page.wait_for_selector(".cifar-live")
    if name == "playground":
        check_playground(watched)
    else:
        check_explorer(watched)
    check_layout(watched)
    watched.page.screenshot(path=SHOTS / f"live-{name}-{view}.png", full_page=True)
    watched.page.close()
    print(f"{name}, {view}: {len(watched.faults)} faults")
    for fault in watched.faults:
        print(f"  {fault}")
    return len(watched.faults)


def main():
    names = sys.argv[1:] or [*EXPLORERS, "playground"]
    SHOTS.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        web_data(Path(folder) / "web")
        for name in names:
            shown = live(name, **STATES.get(name, {}))
            page = PAGE.format(name=name, live=shown.html())
            (Path(folder) / f"{name}.html").write_text(page, encoding="utf-8")
        url = serve(folder)
        browser = playwright.chromium.launch(
            executable_path=find_browser(), args=["--no-sandbox"])
        n_faults = 0
        for name in names:
            for view in VIEWS:
                n_faults += check_page(browser, url, name, view)
        browser.close()
    return 1 if n_faults else 0


if __name__ == "__main__":
    sys.exit(main())
