"""Check a rendered site in a real browser, without any other host.

    python .ci/site.py DIR [PAGE ...]

Every page (or those named) on a desktop's and a phone's width, light and dark: nothing asks for
another host, no error on the console, no violation of WCAG 2.2 AA that axe can see, nothing
stands out to the side, a chapter opens with words and not with code, every live explorer
answers. Links and their anchors are looked up in the files. Needs playwright and
axe-playwright-python. Screenshots of the first page and the chapters go to .ci/screenshots."""
import html.parser
import sys
from pathlib import Path
from urllib.parse import unquote, urlsplit

from axe_playwright_python.sync_playwright import Axe
from live import SHOTS, Watched, find_browser, move, serve
from playwright.sync_api import Error, sync_playwright
from tqdm import tqdm

NOTEBOOKS = Path(__file__).parent.parent / "nbs"
LOOKED_AT = {"index.html", "results.html", "playground.html", "picture.html"}
BASE = "/cifar_course/"                                  # where the links of 404.html begin
VIEWS = {
    "desktop, light": {"viewport": {"width": 1200, "height": 900}, "color_scheme": "light"},
    "desktop, dark": {"viewport": {"width": 1200, "height": 900}, "color_scheme": "dark"},
    "phone, light": {"viewport": {"width": 390, "height": 844}, "color_scheme": "light",
                     "has_touch": True, "is_mobile": True},
    "phone, dark": {"viewport": {"width": 390, "height": 844}, "color_scheme": "dark",
                    "has_touch": True, "is_mobile": True},
}
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}

# How far down the page words and code begin, in pixels.
BEGINNINGS = """() => {
    const top = name => document.querySelector(`main ${name}`)?.getBoundingClientRect().top;
    return [top('p') ?? 0, top('div.sourceCode') ?? Infinity];
}"""
LOOK = "document.querySelector('.cifar-live')?.innerHTML"
# nbdev leaves the number out of a page's name
CHAPTERS = {f"{path.stem.partition('_')[2]}.html" for path in NOTEBOOKS.glob("[0-9]*.ipynb")}


class Links(html.parser.HTMLParser):
    "The addresses and the anchors of a page."
    def __init__(self, text):
        super().__init__()
        self.to, self.anchors = [], set()
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        "Note what a tag points to, and what it can be pointed to by."
        attributes = dict(attributes)
        self.anchors.update(filter(None, (attributes.get("id"), attributes.get("name"))))
        for name in ("href", "src"):
            if attributes.get(name):
                self.to.append(attributes[name])


def broken_links(folder, paths):
    "A line for each link of the pages that leads nowhere within the site."
    pages = {path: Links(path.read_text(encoding="utf-8")) for path in folder.rglob("*.html")}
    found = []
    for path in paths:
        for address in pages[path].to:
            parts = urlsplit(address)
            if parts.scheme or parts.netloc:
                continue
            target = path
            if parts.path:
                start = folder if parts.path.startswith(BASE) else path.parent
                target = (start / unquote(parts.path.removeprefix(BASE))).resolve()
            if target.is_dir():
                target = target / "index.html"
            name = f"{path.relative_to(folder)}: {address}"
            if not target.exists():
                found.append(f"{name} leads nowhere")
            elif parts.fragment and target in pages:
                anchor = unquote(parts.fragment)
                if anchor not in pages[target].anchors and not anchor.startswith("category="):
                    found.append(f"{name} has no such anchor")
    return found


def check_axe(watched):
    "Note each rule that axe sees broken, with the first element that breaks it."
    violations = Axe().run(watched.page, options=RULES).response["violations"]
    for violation in violations:
        nodes = violation["nodes"]
        first = nodes[0]["html"][:160]
        watched.faults.append(f"axe, {violation['id']}: {len(nodes)} times, such as {first}")


def check_layout(watched, name):
    "Nothing stands out to the side, and a chapter begins with words."
    page = watched.page
    width, room = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    watched.expect(width <= room + 1, f"{width} pixels wide in {room}")
    if name in CHAPTERS:
        words, code = page.evaluate(BEGINNINGS)
        watched.expect(words < code, "it begins with code")
        watched.expect(code > page.viewport_size["height"], "code on the first screen")


def check_live(watched):
    "The page's live explorers have come, and the first answers to its first control."
    page = watched.page
    n_places = page.locator("[data-live]").count()
    if n_places == 0:
        return
    try:
        page.wait_for_function(
            f"document.querySelectorAll('.cifar-live').length === {n_places}", timeout=15_000)
    except Error:
        watched.faults.append("a live explorer does not come")
        return
    controls = page.locator(".cifar-live .controls :is(input, select)")
    control = controls.locator("visible=true").first     # some are folded away
    if control.count():
        before = page.evaluate(LOOK) + page.url
        move(control)
        page.wait_for_timeout(200)
        watched.expect(page.evaluate(LOOK) + page.url != before, "a control changes nothing")


def check_page(browser, url, name, view):
    "What is wrong with a page in one view."
    watched = Watched(browser, url, VIEWS[view])
    watched.page.goto(f"{url}/{name}", wait_until="load")
    watched.page.wait_for_timeout(300)
    try:
        check_layout(watched, name)
        check_axe(watched)
        check_live(watched)
    except Error as error:                               # such as a control out of reach
        watched.faults.append(str(error).splitlines()[0])
    if name in CHAPTERS | LOOKED_AT:
        shot = f"site-{Path(name).stem}-{view.replace(', ', '-')}.png"
        watched.page.evaluate("scrollTo(0, 0)")
        watched.page.screenshot(path=SHOTS / shot)
    watched.page.close()
    return watched.faults


def main():
    folder = Path(sys.argv[1]).resolve()
    paths = [path for path in sorted(folder.rglob("*.html")) if "site_libs" not in path.parts]
    if sys.argv[2:]:
        paths = [folder / name for name in sys.argv[2:]]
    if not paths:
        raise SystemExit(f"{folder} has no pages: render the site first")
    SHOTS.mkdir(exist_ok=True)
    faults = broken_links(folder, paths)
    for fault in faults:
        print(fault, flush=True)
    with sync_playwright() as playwright:
        url = serve(folder)
        browser = playwright.chromium.launch(
            executable_path=find_browser(), args=["--no-sandbox"])
        for path in tqdm(paths, unit="page"):
            name = path.relative_to(folder).as_posix()
            for view in VIEWS:
                for fault in check_page(browser, url, name, view):
                    faults.append(f"{name} ({view}): {fault}")
                    print(faults[-1], flush=True)
        browser.close()
    print(f"{len(paths)} pages in {len(VIEWS)} views: {len(faults)} faults")
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(main())
