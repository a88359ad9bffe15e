"""Write the site's reference: a page for each room of the package.

    python .ci/api.py nbs/api

Each public name with its signature as it is written (the comments say what a parameter is), its
docstring, and a link to the notebook that makes it."""
import ast
import importlib
import inspect
import json
import re
import sys
from pathlib import Path

import cifar_course
from cifar_course.checks.engine import Exercise

PACKAGE = Path(cifar_course.__file__).parent
ROOMS = {                                                # folder: what is in it
    ".": "what the chapters build, and what every module leans on",
    "data": "data sets: read, drawn, downloaded, from folders of pictures",
    "show": "figures, explorers, tables",
    "checks": "the checks of the exercises",
    "lab": "recipes, runs and reports",
    "studies": "comparisons, records and what is quoted from them",
    "web": "explorers that need no kernel",
}


def modules_of(room):
    "The room's modules, by name, that export something."
    found = []
    for path in sorted((PACKAGE / room).glob("*.py")):
        if path.stem.startswith("_"):
            continue
        parts = ["cifar_course", *([] if room == "." else [room]), path.stem]
        module = importlib.import_module(".".join(parts))
        if getattr(module, "__all__", None):
            found.append(module)
    return found


def signature(source):
    "The lines of a function's or class's source before its docstring and body."
    node = ast.parse(source).body[0]
    if not hasattr(node, "body"):
        return source
    lines = source.splitlines()
    first = node.body[0]
    if first.lineno == node.lineno:                      # def f(x): return x
        return lines[0].split(": return")[0] + ":"
    return "\n".join(lines[:first.lineno - 1])


def notebook_of(module):
    "The path, in nbs/, of the notebook that a module is exported from."
    for line in inspect.getsource(module).splitlines():
        if "File to edit:" in line:
            _, _, path = line.partition("/nbs/")
            return path.rstrip(".")
    return None


def escaped(text):
    "A docstring whose stars and dollars mean nothing to Markdown, but in code."
    parts = text.split("`")
    for i in range(0, len(parts), 2):
        parts[i] = re.sub(r"([*_$<])", r"\\\1", parts[i])
    return "`".join(parts)


def entry(module, name):
    "The lines about one function or class."
    value = getattr(module, name)
    source = inspect.cleandoc("\n" + inspect.getsource(value))
    lines = [f"### `{name}`", "", "```python", signature(source), "```", ""]
    about = inspect.getdoc(value)
    return lines + ([escaped(about), ""] if about else [])


def entries(module):
    "The lines about all public names of a module: functions and classes, then what is left."
    lines, others = [], []
    for name in module.__all__:
        value = getattr(module, name)
        if inspect.isfunction(value) or inspect.isclass(value):
            lines += entry(module, name)
        elif isinstance(value, Exercise):
            others.append(f"- `{name}`: the check of exercise {value.number}")
        else:
            others.append(f"- `{name}`, {type(value).__name__}")
    if others:
        lines += ["### Values", "", *others, ""] if lines else [*others, ""]
    return lines


def page(room, about):
    "The text of a room's page."
    title = "cifar_course" if room == "." else f"cifar_course.{room}"
    lines = ["---", f"title: {title}", f"subtitle: {json.dumps(about)}", "---", ""]
    for module in modules_of(room):
        lines += [f"## {module.__name__}", "", (module.__doc__ or "").strip(), ""]
        notebook = notebook_of(module)
        if notebook:
            lines += [f"Made in [{notebook}](../{notebook}).", ""]
        lines += entries(module)
    return "\n".join(lines)


def main():
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    index = ["---", "title: Reference", "subtitle: What a programmer can import", "---", "",
             "`from cifar_course import …` has the names that are used most; all others stand",
             "in their module. The notebooks that make them explain and test them.", ""]
    for room, about in ROOMS.items():
        stem = "top" if room == "." else room
        (folder / f"{stem}.qmd").write_text(page(room, about), encoding="utf-8")
        title = "cifar_course" if room == "." else f"cifar_course.{room}"
        index.append(f"- [{title}]({stem}.qmd): {about}")
    index += ["", "Names that `cifar_course` itself has:", ""]
    index += [", ".join(f"`{name}`" for name in cifar_course.__all__), ""]
    (folder / "index.qmd").write_text("\n".join(index), encoding="utf-8")


if __name__ == "__main__":
    main()
