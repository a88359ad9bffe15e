"""How many code cells ran? python .ci/cells.py LOG

LOG is what `nbdev_test --do_print` printed. A notebook counts when it came to its end: then all
of its cells ran, but for empty ones, those flagged `#| eval: false`, and those with a flag of
`tst_flags` in settings.ini. A notebook that was begun and not ended is named, and fails."""
import configparser
import re
import sys
from pathlib import Path

import nbformat

ROOT = Path(__file__).parent.parent


def skipped_flags():
    "The flags of cells that `nbdev_test` leaves out."
    settings = configparser.ConfigParser(delimiters=["="], interpolation=None)
    settings.read(ROOT / "settings.ini", encoding="utf-8")
    return settings["DEFAULT"]["tst_flags"].split()


def runs(cell, flags):
    "Is it a code cell that `nbdev_test` runs?"
    if cell.cell_type != "code" or not cell.source.strip():
        return False
    directives = re.findall(r"^#\|\s*(.*?)\s*$", cell.source, flags=re.M)
    for directive in directives:
        if directive in flags or re.fullmatch(r"eval:\s*false", directive):
            return False
    return True


def main():
    log = Path(sys.argv[1]).read_text(encoding="utf-8")
    begun = re.findall(r"Starting (\S+\.ipynb)", log)
    ended = re.findall(r"- Completed (\S+\.ipynb)", log)
    for path in sorted(set(begun) - set(ended)):
        print(f"{path} was begun and did not come to its end", file=sys.stderr)
    flags = skipped_flags()
    n = 0
    for path in ended:
        cells = nbformat.read(path, 4).cells
        n += sum(runs(cell, flags) for cell in cells)
    print(n)
    return set(begun) != set(ended)


if __name__ == "__main__":
    sys.exit(main())
