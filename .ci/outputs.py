"""Run notebooks top to bottom and keep their outputs: python .ci/outputs.py [--pictures] NOTEBOOK ...

Taken out are the outputs of explorers (widgets live in a kernel) and of unsolved exercises, and of cells that show pictures of the data: nothing
of CIFAR-10 is committed. With --pictures those stay: for the site, which has a copy of its own."""
import sys
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient

keep_pictures = "--pictures" in sys.argv
emptied = {"explorer", "exercise"} | (set() if keep_pictures else {"pictures"})
for path in (Path(a) for a in sys.argv[1:] if a != "--pictures"):
    notebook, start = nbformat.read(path, 4), time.perf_counter()
    NotebookClient(notebook, timeout=3600, resources={"metadata": {"path": path.parent}}).execute()
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            if "<Figure" in output.get("data", {}).get("text/plain", "") and "image/png" not in output.data: raise SystemExit(f"{path}: this cell's figure has no picture:\n{cell.source}")
        if emptied & set(cell.metadata.get("tags", ())): cell.outputs = []
    notebook.metadata.pop("widgets", None)
    nbformat.write(notebook, path)
    print(f"{path}: {time.perf_counter() - start:.0f} s")
