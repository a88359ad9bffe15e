"""Who imports whom: downwards only, in no circle, and from outside only what is required.

    python .ci/rooms.py

Prints a line per offence and fails if there is one. Imports inside functions count too; only in
a circle within one folder they do not, since there they wait until they are needed."""
import ast
import configparser
import re
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGE = "cifar_course"

# From top to bottom. A module belongs to the longest name that it begins with; it may import
# its own room and what stands in a line below.
ROOMS = (
    ("__main__",),
    ("cli",),
    ("web",),
    ("studies",),
    ("lab",),
    ("checks",),
    ("report",),
    ("sequences", "machines"),
    ("convnet",),
    ("strategies",),
    ("training",),
    ("evaluation",),
    ("backprop",),
    ("optimizers", "losses", "activations"),
    ("mlp",),
    ("preprocessing",),
    ("first_hour",),
    ("show",),
    ("data",),
    ("doors",),
    ("core",),
)
RANKS = {room: rank for rank, row in enumerate(ROOMS) for room in row}

# import name: the requirement that brings it, where the two differ
REQUIREMENTS = {"PIL": "pillow", "sklearn": "scikit-learn"}


def module_name(path):
    "The module's name within the package: data.dataset."
    parts = path.relative_to(ROOT / PACKAGE).with_suffix("").parts
    if parts[-1] == "__init__":
        parts = parts[:-1]
    return ".".join(parts)


def absolute(node, path):
    "The module that an import statement names, with dots at its start resolved."
    if not node.level:
        return node.module
    above = path.relative_to(ROOT).parent.parts
    above = above[:len(above) - node.level + 1]
    return ".".join([*above, *filter(None, [node.module])])


def is_module(name):
    "Is there a module of ours of this name?"
    place = ROOT / name.replace(".", "/")
    return place.with_suffix(".py").is_file() or place.is_dir()


def imports_in(path):
    "(module, line, is it in a function?) for each import statement of a file."
    tree = ast.parse(path.read_text(encoding="utf-8"))
    at_the_top = {id(node) for node in tree.body}
    found = []
    for node in ast.walk(tree):
        is_late = id(node) not in at_the_top
        if isinstance(node, ast.Import):
            found += [(alias.name, node.lineno, is_late) for alias in node.names]
        if isinstance(node, ast.ImportFrom):
            whence = absolute(node, path)
            for alias in node.names:
                target = f"{whence}.{alias.name}"        # from .lab import recipe
                if not is_module(target):
                    target = whence                      # from .lab.recipe import Recipe
                found.append((target, node.lineno, is_late))
    return sorted(set(found))


def room_of(name):
    "The room of a module of ours; an error for one that has none."
    found = [room for room in RANKS if name == room or name.startswith(room + ".")]
    if not found:
        raise SystemExit(f"{name} has no room: write it into ROOMS of .ci/rooms.py")
    return max(found, key=len)


def upward(modules):
    "A line for each import that does not point downwards."
    offences = []
    for name, found in modules.items():
        if name == "":
            continue                                     # the package itself is above all
        room = room_of(name)
        for target, line, _ in found:
            if not target.startswith(f"{PACKAGE}."):
                continue
            below = room_of(target.removeprefix(f"{PACKAGE}."))
            if room != below and RANKS[room] >= RANKS[below]:
                offences.append(f"{name}, line {line}: imports {target}, "
                                f"and {below} is not below {room}")
    return offences


def circle_through(name, edges):
    "The way from a module back to itself along `edges`, or None."
    ways, seen = [[name]], set()
    while ways:
        way = ways.pop()
        for target in edges.get(way[-1], ()):
            if target == name:
                return [*way, name]
            if target not in seen:
                seen.add(target)
                ways.append([*way, target])
    return None


def circles(modules):
    "A line for each circle of imports that Python runs into when it loads a module."
    edges = {}
    for name, found in modules.items():
        targets = [target.removeprefix(f"{PACKAGE}.") for target, _, is_late in found
                   if not is_late]
        edges[name] = [target for target in targets if target in modules]
    offences, told = [], set()
    for name in modules:
        circle = circle_through(name, edges)
        if circle and not told.intersection(circle):
            told.update(circle)
            offences.append(f"{name}: a circle, {' imports '.join(circle)}")
    return offences


def required():
    "Names of the requirements in settings.ini, without their versions."
    settings = configparser.ConfigParser(delimiters=["="], interpolation=None)
    settings.read(ROOT / "settings.ini", encoding="utf-8")
    requirements = settings["DEFAULT"]["requirements"].split()
    return {re.match(r"[\w.-]+", requirement)[0] for requirement in requirements}


def used_in_notebooks(requirement):
    "Does a cell of a notebook import it? (Tests compare with it, or chapters show it.)"
    names = [name for name, brought_by in REQUIREMENTS.items() if brought_by == requirement]
    pattern = re.compile(rf'"\s*(import|from) {(names or [requirement])[0]}\b')
    notebooks = (ROOT / "nbs").rglob("*.ipynb")
    return any(pattern.search(path.read_text(encoding="utf-8")) for path in notebooks)


def from_outside(modules):
    "A line for each import that no requirement brings, and each requirement that none needs."
    requirements = required()
    offences, used = [], set()
    for name, found in modules.items():
        for target, line, _ in found:
            top = target.split(".")[0]
            if top == PACKAGE or top in sys.stdlib_module_names:
                continue
            used.add(REQUIREMENTS.get(top, top))
            if REQUIREMENTS.get(top, top) not in requirements:
                offences.append(f"{name}, line {line}: imports {top}, "
                                "which is no requirement in settings.ini")
    for requirement in sorted(requirements - used):
        if not used_in_notebooks(requirement):
            offences.append(f"settings.ini: nothing imports the requirement {requirement}")
    return offences


def main():
    paths = sorted((ROOT / PACKAGE).rglob("*.py"))
    modules = {module_name(path): imports_in(path) for path in paths
               if path.name != "_modidx.py"}
    offences = [*upward(modules), *circles(modules), *from_outside(modules)]
    for offence in offences:
        print(offence)
    if offences:
        return 1
    print(f"{len(modules)} modules import downwards only")
    return 0


if __name__ == "__main__":
    sys.exit(main())
