#!/usr/bin/env python3
"""The project's yardstick: how long do imports, the main job, and the way to 50 % and 60 % take, beside the peers, in one run?

    python benchmarks/yardstick.py [--repeats 3] [--json FILE] [--tests]

Every figure is the median over --repeats processes, the contenders taking turns. Keras takes part where TensorFlow is installed (pip install tensorflow-cpu scipy). CIFAR-10 must be
on disk. benchmarks/throughput.py measures pictures per second. With --tests the README's test command is timed too."""
import argparse
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tqdm import tqdm

from cifar_course.core import atomic_path, environment
from cifar_course.data import find_cifar10

IMPORTS = {"cifar_course.mlp": "cifar_course.mlp", "cifar_course.cli": "cifar_course.cli", "torch": "torch", "torchvision": "torchvision",
           "scikit-learn": "sklearn.neural_network", "Keras": "keras"}
CONTENDERS = ["ours", "DataLoader", "MLPClassifier"]
BIN, HERE = Path(sys.executable).parent, Path(__file__).parent


def run(command):
    "Seconds and standard output of a command; its error, if it fails."
    start = time.time()
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, env=os.environ | {"BENCHMARK_START": str(start)})
    if done.returncode: raise SystemExit(f"{' '.join(map(str, command))} failed:\n{done.stderr[-2000:]}")
    return time.time() - start, done.stdout


def contender(name, recipe, data, until, limit):
    "The contender's lines, one per epoch."
    lines = run([sys.executable, HERE / "contenders.py", name, "--recipe", recipe, "--data", data, "--until", until, "--limit", limit])[1]
    return [json.loads(line) for line in lines.splitlines() if line.startswith("{")]


def reached(lines, accuracy):
    "Seconds until the first epoch with that accuracy; None where it was not reached."
    return next((line["seconds"] for line in lines if line["accuracy"] >= accuracy), None)


def to_accuracy(name, limit):
    lines = contender(name, "fast", "cifar10", .6, limit)
    return {"seconds to 50 %": reached(lines, .5), "seconds to 60 %": reached(lines, .6), "highest accuracy": max(line["accuracy"] for line in lines), "epochs": len(lines)}


def main_job(name):
    "The whole main job, report included, for ours; for the peers its training alone."
    if name != "ours": return {"seconds": contender(name, "quick", "standin", 2, 600)[-1]["seconds"]}
    with tempfile.TemporaryDirectory() as folder: return {"seconds": run([BIN / "cifar-course", "train", "--quiet", "--out", Path(folder) / "run"])[0]}


def median(rows):
    "Medians of the rows' figures; None counts as never."
    middle = {key: statistics.median([float("inf") if row[key] is None else row[key] for row in rows]) for key in rows[0]}
    return {key: None if value == float("inf") else round(value, 3) for key, value in middle.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3, help="processes per contender; medians are reported")
    parser.add_argument("--limit", type=float, default=180, help="seconds after which a contender gives up on 60 %%")
    parser.add_argument("--tests", action="store_true", help="time the README's test command too, once")
    parser.add_argument("--json", metavar="FILE", help="write the figures here")
    args = parser.parse_args()
    if find_cifar10() is None: raise SystemExit("CIFAR-10 is not on disk: cifar-course data --download, or set CIFAR_COURSE_DATA")
    keras = ["Keras"] if importlib.util.find_spec("tensorflow") else []
    imports = {name: module for name, module in IMPORTS.items() if name != "Keras" or keras}
    tasks = {"import": {name: lambda m=module: {"seconds": run([sys.executable, "-c", f"import {m}"])[0]} for name, module in imports.items()},
             "main job": {name: lambda n=name: main_job(n) for name in ["ours", "DataLoader", *keras]},
             "60 % of CIFAR-10": {name: lambda n=name: to_accuracy(n, args.limit) for name in CONTENDERS + keras}}
    measured = {(task, name): [] for task, contenders in tasks.items() for name in contenders}
    for _, (task, name) in tqdm([(i, key) for i in range(args.repeats) for key in measured], unit="process"): measured[task, name].append(tasks[task][name]())
    rows = [{"task": task, "contender": name} | median(found) for (task, name), found in measured.items()]
    if args.tests: rows.append({"task": "nbdev_test", "contender": "ours", "seconds": round(run([BIN / "nbdev_test"])[0], 1)})
    for row in rows: print("  ".join(f"{value if value is not None else 'never'!s:18}" if key in ("task", "contender") else f"{key} {'never' if value is None else value}" for key, value in row.items()))
    if args.json:
        with atomic_path(args.json) as temporary: temporary.write_text(json.dumps({"repeats": args.repeats, "environment": environment(), "limit": args.limit, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__": main()
