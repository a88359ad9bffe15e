"""Check what nbdev hands to Quarto: nothing that is taught gets lost on the way to the site.

    python .ci/handed.py nbs _proc

Of every notebook: the words of its opening, the code of every exported function that is to be
seen, in order, options of cells that Quarto can read, and a picture wherever a cell has a
caption for one."""
import json
import sys
from pathlib import Path

import yaml


class Strict(yaml.SafeLoader):
    "Refuses a key that comes twice, as Quarto does."

    def construct_mapping(self, node, deep=False):
        "As before, but for keys that come twice."
        keys = [self.construct_object(key, deep=deep) for key, _ in node.value]
        twice = {key for key in keys if keys.count(key) > 1}
        if twice:
            raise yaml.YAMLError(f"{', '.join(twice)} comes twice")
        return super().construct_mapping(node, deep)


def cells_of(path, kind):
    "The texts of a notebook's cells of a kind."
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == kind]


def is_option(line):
    "Is a line of code an option of its cell?"
    return line.startswith("#|")


def code_of(source):
    "A cell's code without its options."
    return "\n".join(line for line in source.splitlines() if not is_option(line)).strip()


def faults_of_options(source):
    "What Quarto cannot read in a cell's options."
    lines = []
    for line in source.splitlines():
        if not is_option(line):
            break
        lines.append(line.removeprefix("#|").removeprefix(" "))
    try:
        options = yaml.load("\n".join(lines), Strict)
    except yaml.YAMLError as error:
        return [f"options {lines} cannot be read: {error}"]
    if lines and not isinstance(options, dict):
        return [f"options {lines} are no options"]
    return []


def faults_of_figures(path):
    "Cells with a figure's caption that have been run, and show none."
    faults = []
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        text = "".join(cell["source"])
        tags = cell["metadata"].get("tags", ())
        if "#| fig-cap:" not in text or "pictures" in tags or "explorer" in tags:
            continue
        kinds = {kind for output in cell["outputs"] for kind in output.get("data", ())}
        if not kinds & {"image/png", "image/svg+xml", "text/html"}:
            faults.append(f"a figure is missing, see .ci/outputs.py: {code_of(text)[:60]!r}")
    return faults


def faults_of(source, handed):
    "What is lost between a notebook and what is handed over."
    faults = []
    words = "\n".join(cells_of(handed, "markdown"))
    for text in cells_of(source, "markdown")[1:3]:       # the first is the title
        start = text.split("`")[0].strip()               # names in code become links
        if start not in words:
            faults.append(f"the opening is lost: {start[:60]!r}")
    code = "\n\n".join(map(code_of, cells_of(handed, "code")))
    place = 0
    for text in cells_of(source, "code"):
        if not text.startswith("#| exports"):
            continue
        found = code.find(code_of(text), place)
        if found < 0:
            faults.append(f"code is lost, or out of order: {code_of(text)[:60]!r}")
        else:
            place = found
    for text in cells_of(handed, "code"):
        faults += faults_of_options(text)
    return faults + faults_of_figures(source)


def main():
    folder, handed = map(Path, sys.argv[1:])
    n_faults, n_notebooks = 0, 0
    for path in sorted(handed.rglob("*.ipynb")):
        name = path.relative_to(handed)
        for fault in faults_of(folder / name, path):
            print(f"{name}: {fault}")
            n_faults += 1
        n_notebooks += 1
    print(f"{n_notebooks} notebooks handed over, {n_faults} faults")
    return int(n_faults > 0 or n_notebooks == 0)


if __name__ == "__main__":
    sys.exit(main())
