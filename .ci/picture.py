"""Try "Your own picture" in a real browser: the page says what `cifar-course predict` says.

    python .ci/picture.py [RUN]

Trains a small network on the stand-in (or takes RUN), exports it, and gives the page picture
files of many kinds: the pixels that the network sees must be those of Python, and so must the
answers. A file that is no picture, and a network that is missing, are told in words."""
import sys
import tempfile
from pathlib import Path

import numpy as np
from live import PAGE, SHOTS, VIEWS, Watched, check_layout, find_browser, serve
from PIL import Image, ImageDraw
from playwright.sync_api import sync_playwright

from cifar_course.data.pictures import read_picture
from cifar_course.data.standin import load_standin
from cifar_course.lab.catalogue import RECIPES
from cifar_course.lab.export import export_web
from cifar_course.lab.recipe import change_recipe
from cifar_course.lab.run import load_run, train_run
from cifar_course.web.live import live, web_data

# The bytes on the canvas that shows what the network sees: red, green, blue of each pixel.
SEEN = """() => {
    const canvas = document.querySelector('.cifar-live canvas');
    const { width, height } = canvas;
    const { data } = canvas.getContext('2d').getImageData(0, 0, width, height);
    return Array.from(data).filter((_, i) => i % 4 < 3);
}"""


def scene(width, height):
    "A picture with edges, slopes and noise."
    x = np.linspace(0, 1, width)[None, :, None]
    y = np.linspace(0, 1, height)[:, None, None]
    colours = np.array([200, 120, 60])
    noise = np.random.default_rng(0).normal(0, 12, (height, width, 3))
    pixels = colours * (1 - y) + 180 * x * y + 20 + noise
    picture = Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
    draw = ImageDraw.Draw(picture)
    draw.ellipse([width // 3, height // 4, width // 2, 3 * height // 4], fill=(230, 230, 240))
    draw.rectangle([width // 2, height // 2, 2 * width // 3, height], fill=(20, 40, 90))
    return picture


def write_pictures(folder, images):
    """Picture files, and by how many of 255 the page may be off for each.

    Of a JPEG file, browsers and Pillow may make bytes that differ by a little; transparent
    pixels are rounded once more; and Pillow 13 takes tall pictures in another order."""
    allowed = {}

    def save(name, picture, off=0, **settings):
        "Write a file, and note what it may be off."
        picture.save(folder / name, **settings)
        allowed[name] = off

    for i, image in enumerate(images):
        save(f"own-size-{i}.png", Image.fromarray(image.permute(1, 2, 0).numpy()))
    save("across.png", scene(640, 411))
    save("upright.png", scene(300, 1000), off=1)
    save("tiny.png", scene(9, 7))
    save("large.jpg", scene(3000, 2000), off=3, quality=95)
    turned = Image.Exif()
    turned[0x0112] = 6                                   # a camera held on its side
    save("turned.jpg", scene(500, 400), off=3, quality=95, exif=turned)
    see_through = scene(200, 150).convert("RGBA")
    see_through.putalpha(scene(200, 150).convert("L"))
    save("see-through.png", see_through, off=1)
    save("grey.png", scene(100, 90).convert("L"))
    save("few-colours.gif", scene(100, 90).quantize(50))
    return allowed


def choose(page, path):
    "Give the page a file, and wait for what it says."
    page.set_input_files(".cifar-live input[type=file]", path)
    page.wait_for_function("!document.querySelector('.words').innerText.startsWith('Looking')"
                           " && !document.querySelector('.words').innerText.startsWith('No p')")
    return page.locator(".cifar-live .words").inner_text()


def check_file(watched, trained, path, off):
    "The page sees the pixels that Python sees, and says what it says."
    page, name = watched.page, path.name
    words = choose(page, path)
    expected = read_picture(path, trained.spec)
    seen = np.array(page.evaluate(SEEN)).reshape(trained.spec.height, trained.spec.width, 3)
    difference = abs(seen - expected[0].permute(1, 2, 0).numpy()).max()
    watched.expect(difference <= off, f"{name}: {difference} of 255 off")
    probabilities = trained.probabilities(expected)[0]
    class_name = trained.spec.class_names[probabilities.argmax()]
    watched.expect(f"says {class_name}," in words, f"{name}: {class_name}, but it {words}")
    bars = page.locator(".cifar-live svg").get_attribute("aria-label")
    furthest = 0
    for part in bars.split(": ")[1].removesuffix(" %").split(" %, "):
        said, share = part.rsplit(" ", 1)
        label = trained.spec.class_names.index(said)
        furthest = max(furthest, abs(float(share) / 100 - probabilities[label].item()))
    # .001 more than what is lost by showing one decimal; a byte that is off may change more
    room = .0015 if difference == 0 else .02
    watched.expect(furthest < room, f"{name}: a share is {furthest:.4f} off")
    print(f"  {name}: pixels at most {difference} of 255 off, shares {furthest:.4f}")


def drop(page, path):
    "Drop a file onto the page, as a hand would."
    page.evaluate("""async ([name, bytes]) => {
        const transfer = new DataTransfer();
        transfer.items.add(new File([Uint8Array.from(bytes)], name));
        const event = new DragEvent('drop', { dataTransfer: transfer, bubbles: true,
                                              cancelable: true });
        document.body.dispatchEvent(event);
    }""", [path.name, list(path.read_bytes())])


def check_words(watched, folder):
    "What is no picture is told; a drop and the keyboard choose a picture too."
    page = watched.page
    (folder / "letter.txt").write_text("hello")
    words = choose(page, folder / "letter.txt")
    watched.expect("letter.txt is no picture" in words, f"of a text, it says {words}")
    drop(page, folder / "across.png")
    page.wait_for_function("document.querySelector('.words').innerText.includes(' says ')")
    page.keyboard.press("Tab")
    focused = page.evaluate("document.activeElement.type")
    watched.expect(focused == "file", f"the first key reaches {focused}, not the file")
    text = page.locator(".cifar-live").inner_text()
    for part in ("nothing is uploaded", "trained on", "names one of these"):
        watched.expect(part in text, f"it does not say: {part}")


def check_view(browser, url, view, trained, folder, allowed):
    "Try the page in one view; gives how many faults there are."
    watched = Watched(browser, url, VIEWS[view])
    asked = []
    watched.page.on("request", lambda request: asked.append(request.url))
    watched.page.goto(f"{url}/picture.html")
    watched.page.wait_for_selector(".cifar-live")
    watched.page.wait_for_timeout(300)
    early = [each for each in asked if "/picture/" in each]
    watched.expect(not early, f"fetched before it was asked for: {early}")
    for name, off in allowed.items():
        check_file(watched, trained, folder / name, off)
    check_words(watched, folder)
    check_layout(watched)
    watched.page.screenshot(path=SHOTS / f"live-picture-{view}.png", full_page=True)
    return report(watched, f"picture, {view}")


def check_without(browser, url, folder):
    "Where the network is missing, the page says so; the browser notes that, too."
    watched = Watched(browser, url, VIEWS["desktop"])
    watched.page.goto(f"{url}/picture.html")
    words = choose(watched.page, folder / "across.png")
    watched.expect("The network is not here" in words, f"without a network, it says {words}")
    watched.faults = [fault for fault in watched.faults if "404" not in fault]
    return report(watched, "picture, without a network")


def report(watched, title):
    "Close the page and print what went wrong; gives how many faults there are."
    watched.page.close()
    print(f"{title}: {len(watched.faults)} faults")
    for fault in watched.faults:
        print(f"  {fault}")
    return len(watched.faults)


def small_run(folder):
    "A network that has learned a little."
    recipe = change_recipe(RECIPES["quick"], {"phases.0.n_epochs": 3})
    data = load_standin(n_train=2000, n_test=100)
    return train_run(recipe, data, folder, source="standin", progress=False, device="cpu")


def main():
    SHOTS.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as place, sync_playwright() as playwright:
        folder = Path(place)
        run = Path(sys.argv[1]) if sys.argv[1:] else small_run(folder / "run")
        trained = load_run(run)
        web_data(folder / "web")
        page = PAGE.format(name="picture", live=live("picture").html())
        (folder / "picture.html").write_text(page, encoding="utf-8")
        allowed = write_pictures(folder, load_standin(10, 10).test_images[:3])
        url = serve(folder)
        browser = playwright.chromium.launch(
            executable_path=find_browser(), args=["--no-sandbox"])
        n_faults = check_without(browser, url, folder)
        export_web(run, folder / "web" / "picture")
        for view in VIEWS:
            n_faults += check_view(browser, url, view, trained, folder, allowed)
        browser.close()
    return 1 if n_faults else 0


if __name__ == "__main__":
    sys.exit(main())
