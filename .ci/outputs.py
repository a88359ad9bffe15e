"""Run notebooks top to bottom and keep their outputs.

    python .ci/outputs.py [--only-pictures] NOTEBOOK ...

Taken out are the outputs of explorers (widgets live in a kernel), of unsolved exercises, and of
cells tagged `pictures`, which show pictures of the data: nothing of CIFAR-10 is committed.

--only-pictures is for the site, which has a copy of CIFAR-10 of its own: the outputs of cells
tagged `pictures` are filled in, and all others stay as they are committed. An error in one of
the others is told and passed over: figures in text and tests are those of another copy."""
import argparse
import sys
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient

NOT_COMMITTED = ("explorer", "exercise", "pictures")


def has_tag(cell, *tags):
    "Does the cell carry one of these tags?"
    return any(tag in cell.metadata.get("tags", ()) for tag in tags)


def execute(notebook, path, allow_errors=False):
    "Run all cells in the notebook's own folder; their outputs are in `notebook` afterwards."
    resources = {"metadata": {"path": path.parent}}
    client = NotebookClient(
        notebook, timeout=3600, resources=resources, allow_errors=allow_errors)
    client.execute()


def errors_of(cell):
    "What went wrong in a cell that has run."
    outputs = [output for output in cell.get("outputs", ()) if output.output_type == "error"]
    return [f"{output.ename}: {output.evalue}" for output in outputs]


def check_figures(notebook, path):
    "Stop where a cell's figure is shown as text, without a picture."
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            data = output.get("data", {})
            if "<Figure" in data.get("text/plain", "") and "image/png" not in data:
                raise SystemExit(f"{path}: this figure has no picture:\n{cell.source}")


def renew(notebook, path):
    "All outputs anew, but for those that are not committed."
    execute(notebook, path)
    check_figures(notebook, path)
    for cell in notebook.cells:
        if has_tag(cell, *NOT_COMMITTED):
            cell.outputs = []
    notebook.metadata.pop("widgets", None)


def fill_in_pictures(notebook, path):
    "Outputs for the cells tagged `pictures`; the others keep theirs."
    places = [i for i, cell in enumerate(notebook.cells) if has_tag(cell, "pictures")]
    if not places:
        return
    copy = nbformat.from_dict(notebook)
    copy.cells = copy.cells[:places[-1] + 1]             # what comes after is not needed
    execute(copy, path, allow_errors=True)
    check_figures(copy, path)
    for i, cell in enumerate(copy.cells):
        errors = errors_of(cell)
        if i in places and errors:
            raise SystemExit(f"{path}: a cell that shows pictures fails: {errors[0]}\n"
                             f"{cell.source}")
        if errors and not has_tag(cell, "raises-exception"):
            print(f"{path}: passed over in cell {cell.id}: {errors[0]}", file=sys.stderr)
    for i in places:
        notebook.cells[i].outputs = copy.cells[i].outputs
        if not notebook.cells[i].outputs:
            raise SystemExit(f"{path}: this cell shows no picture:\n{notebook.cells[i].source}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("notebooks", nargs="+", type=Path, metavar="NOTEBOOK")
    parser.add_argument("--only-pictures", action="store_true",
                        help="fill in the cells tagged `pictures`, and leave the others alone")
    args = parser.parse_args()
    for path in args.notebooks:
        start = time.perf_counter()
        notebook = nbformat.read(path, 4)
        if args.only_pictures:
            fill_in_pictures(notebook, path)
        else:
            renew(notebook, path)
        nbformat.write(notebook, path)
        print(f"{path}: {time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
