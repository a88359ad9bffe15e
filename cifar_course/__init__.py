"""Neural networks by measuring: the names that people use, loaded when they are asked for"""
import importlib

__version__ = "0.1.0"

_HOME = {                                                # name: the module that it lives in
    "Batches": "preprocessing",
    "Preprocess": "preprocessing",
    "split_indices": "preprocessing",
    "channel_statistics": "preprocessing",
    "augment": "preprocessing",
    "MLP": "mlp",
    "accuracy": "mlp",
    "fit": "mlp",
    "measure": "mlp",
    "CNN": "convnet",
    "lr_find": "optimizers",
    "Learner": "training",
    "Callback": "training",
    "Progress": "training",
    "KeepBest": "training",
    "EarlyStopping": "training",
    "Schedule": "training",
    "Checkpoint": "training",
    "evaluate": "evaluation",
    "Evaluation": "evaluation",
    "Dataset": "data.dataset",
    "Spec": "data.dataset",
    "load_data": "data.sources",
    "load_standin": "data.standin",
    "load_cifar10": "data.cifar10",
    "load_pictures": "data.pictures",
    "from_torchvision": "data.pictures",
    "RECIPES": "lab.catalogue",
    "Recipe": "lab.recipe",
    "Phase": "lab.recipe",
    "train_run": "lab.run",
    "load_run": "lab.run",
    "write_report": "lab.page",
}
__all__ = sorted(_HOME)


def __getattr__(name: str):
    "A public name, from the module that it lives in."
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME])
