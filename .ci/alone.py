"""Every module alone: it can be imported first, loads only what it may, and changes nothing.

    cd / && python .ci/alone.py

Prints a line per offence and fails if there is one. Where a module needs PyTorch, that is
loaded beforehand, once for all, since it takes seconds."""
import importlib
import os
import sys
from pathlib import Path

FOLDER = Path(__file__).parent.parent / "cifar_course"

DRAWS = ("show", "report", "checks.report")

# package: the modules of ours that may load it on import, or all of a room
MAY_LOAD = {
    "IPython": ("show.explorers",),                                    # by ipywidgets
    "PIL": (*DRAWS, "data.pictures", "lab", "studies.runner", "web.live",
            "optimizers", "strategies", "training", "checks.strategies"),   # by matplotlib
    "certifi": ("data.download",),
    "fastcore": (),
    "ipywidgets": ("show.explorers",),
    "jinja2": ("lab.page", "lab.compare"),
    "joblib": ("studies.backends", "studies.runner"),
    "matplotlib": (*DRAWS, "lab", "studies.runner",
                   "optimizers", "strategies", "training", "checks.strategies"),
    "nbdev": (),
    "pandas": (),
    "platformdirs": (*DRAWS, "data", "lab.page", "lab.compare"),
    "pooch": (),
    "pydantic": ("cli", "lab", "studies", "web.live"),              # by the records
    "requests": (),
    "scipy": (),
    "seaborn": (),
    "sklearn": (),
    "tabulate": ("show.tables", "studies", "web.live"),
    "torchvision": (),
    "urllib3": (),
}

# so that `cifar-course recipes` answers at once
WITHOUT_TORCH = ("", "cli", "data", "checks", "lab", "lab.catalogue", "lab.recipe", "show",
                 "show.tables", "studies", "studies.study")


def module_names():
    "All modules' names within the package; the package itself is the empty one."
    names = []
    for path in sorted(FOLDER.rglob("*.py")):
        parts = path.relative_to(FOLDER).with_suffix("").parts
        if parts[-1] == "__init__":
            parts = parts[:-1]
        if parts not in (("__main__",), ("_modidx",)):   # a program, and nbdev's index
            names.append(".".join(parts))
    return names


def may_load(name, package):
    "May the module `name` load `package`?"
    return any(name == room or name.startswith(room + ".") for room in MAY_LOAD[package])


def settings():
    "What an import must leave as it is."
    torch = sys.modules.get("torch")
    if torch is None:
        return {}
    return {
        "threads": torch.get_num_threads(),
        "default dtype": torch.get_default_dtype(),
        "random state": torch.get_rng_state().tolist(),
        "denormals": bool(torch.full((1,), 2e-38) / 10 == 0),
    }


def offences_of(name):
    "What is wrong with importing the module into this process."
    before, loaded = settings(), set(sys.modules)
    try:
        importlib.import_module(f"cifar_course.{name}".rstrip("."))
    except Exception as error:
        return [f"cannot be imported alone ({type(error).__name__}: {error})"]
    found = []
    new = {module.split(".")[0] for module in set(sys.modules) - loaded}
    for package in MAY_LOAD:
        if package in new and not may_load(name, package):
            found.append(f"loads {package}")
    if name in WITHOUT_TORCH and "torch" in new:
        found.append("loads torch")
    after = settings()
    for setting, value in before.items():
        if after[setting] != value:
            found.append(f"changes PyTorch's {setting}")
    return found


def is_good(name):
    "Import the module in a child of this process; print what is wrong."
    child = os.fork()
    if child == 0:
        found = offences_of(name)
        for offence in found:
            print(f"cifar_course.{name}".rstrip(".") + f": {offence}")
        sys.stdout.flush()
        os._exit(bool(found))
    return os.waitpid(child, 0)[1] == 0


def main():
    sys.path.insert(0, str(FOLDER.parent))
    names = module_names()
    good = [is_good(name) for name in names if name in WITHOUT_TORCH]
    import torch  # noqa: F401 (for the children)

    good += [is_good(name) for name in names if name not in WITHOUT_TORCH]
    print(f"{sum(good)} of {len(good)} modules load alone, and only what they may")
    return not all(good)


if __name__ == "__main__":
    sys.exit(main())
