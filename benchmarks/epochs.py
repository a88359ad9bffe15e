"""What a recipe's training takes on this machine, computed from a few of its batches.

    python benchmarks/epochs.py RECIPE … [--data cifar10] [--batches N] [--json FILE]

An epoch takes its number of batches times the seconds of one, the quickest mean of three
stretches of N batches; pictures that grow have a row for each of their sides. An evaluation of
a set takes the seconds of a thousand pictures. Run it alone: it is a clock."""
import argparse
import json
from pathlib import Path

from tabulate import tabulate
from tqdm import tqdm

from cifar_course.convnet import Views
from cifar_course.core import atomic_path, environment, fastest, flushed_denormals
from cifar_course.data.sources import load_data
from cifar_course.evaluation import evaluate
from cifar_course.lab.build import build
from cifar_course.lab.catalogue import RECIPES
from cifar_course.lab.recipe import change_recipe
from cifar_course.lab.train import new_learner
from cifar_course.preprocessing import Batches


def epochs_of_each_side(recipe):
    "How many epochs have pictures of each side; None: of their own."
    epochs = {}
    begun = 0
    for share, side in recipe.growing:
        epochs[side] = sum(epoch < share * recipe.n_epochs for epoch in range(recipe.n_epochs))
        epochs[side] -= begun
        begun += epochs[side]
    epochs[None] = recipe.n_epochs - begun
    return epochs


def new_quiet_learner(recipe, data):
    "A learner at a constant rate, without callbacks: they cost next to nothing."
    constant = change_recipe(recipe, {"phases.0.schedule": "constant", "lookahead": False})
    bench = build(constant, data)
    learner = new_learner(constant, bench)
    learner.callbacks = []
    return learner, bench


def seconds_of_an_epoch(recipe, data, side, n_batches):
    "Of training, with pictures of that side."
    learner, bench = new_quiet_learner(recipe, data)
    whole = len(bench.training)
    bench.training.n_batches = n_batches
    if side is not None:
        bench.training.transform.side = side
    return fastest(learner.train_epoch) / n_batches * whole


def seconds_of_a_thousand(recipe, data):
    "Evaluated; once as they are, and once in all views."
    _, bench = new_quiet_learner(recipe, data)
    some = Batches(
        data.test_images[:1000], data.test_labels[:1000], 1000, transform=bench.test.transform)
    plain = fastest(lambda: evaluate(bench.model, some))
    if not recipe.views:
        return plain, 0.
    return plain, fastest(lambda: evaluate(Views(bench.model, recipe.views), some), 1)


def measure_recipe(recipe, data, n_batches):
    "The recipe's row: an epoch at each side, and the whole run."
    epochs = epochs_of_each_side(recipe)
    each = {side: seconds_of_an_epoch(recipe, data, side, n_batches) for side in epochs}
    plain, views = seconds_of_a_thousand(recipe, data)
    n_validation = recipe.validation_fraction * len(data.train_labels)
    n_evaluated = recipe.n_epochs * n_validation + len(data.train_labels)
    total = sum(each[side] * n for side, n in epochs.items())
    total += plain * (n_evaluated + len(data.test_labels)) / 1000
    total += views * len(data.test_labels) / 1000
    return {
        "recipe": recipe.name,
        "epochs": {str(side): n for side, n in epochs.items()},
        "seconds_of_an_epoch": {str(side): seconds for side, seconds in each.items()},
        "seconds_of_a_run": total,
    }


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipes", nargs="+", choices=RECIPES, metavar="RECIPE")
    parser.add_argument("--data", default="cifar10", choices=("cifar10", "standin"))
    parser.add_argument("--batches", type=int, default=8, help="timed; default 8")
    parser.add_argument("--json", type=Path, help="write the figures to this file too")
    args = parser.parse_args()
    data = load_data(args.data)
    rows = []
    with flushed_denormals():
        for name in tqdm(args.recipes, unit="recipe"):
            rows.append(measure_recipe(RECIPES[name], data, args.batches))
    head = ["recipe", "side", "epochs", "seconds an epoch", "seconds a run"]
    table = []
    for row in rows:
        for side, n in row["epochs"].items():
            shown = "all" if side == "None" else side
            seconds = row["seconds_of_an_epoch"][side]
            whole = row["seconds_of_a_run"]
            table.append([row["recipe"], shown, n, f"{seconds:.1f}", f"{whole:.0f}"])
    print(tabulate(table, head))
    if args.json:
        record = {"what": __doc__.splitlines()[0], "rows": rows, "environment": environment()}
        with atomic_path(args.json) as temporary:
            temporary.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
