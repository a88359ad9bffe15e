#!/usr/bin/env python3
"""How long do imports, the main job, and the way to 50 % and 60 % take, beside the peers?

    python benchmarks/yardstick.py [--repeats 3] [--json FILE] [--tests]

Every figure is the median over --repeats processes, the contenders taking turns in one run.
Keras takes part where TensorFlow is installed (pip install tensorflow-cpu scipy). CIFAR-10 must
be on disk. benchmarks/throughput.py measures pictures per second. With --tests the README's
test command is timed too."""
import argparse
import importlib.util
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

from tqdm import tqdm

from cifar_course.core import atomic_path, environment
from cifar_course.data.cifar10 import find_cifar10

IMPORTS = {                                              # name: the module that is imported
    "cifar_course.mlp": "cifar_course.mlp",
    "cifar_course.cli": "cifar_course.cli",
    "torch": "torch",
    "torchvision": "torchvision",
    "scikit-learn": "sklearn.neural_network",
    "Keras": "keras",
}
BIN = Path(sys.executable).parent
HERE = Path(__file__).parent


def run(command):
    "Seconds and standard output of a command; its error, if it fails."
    command = [str(part) for part in command]
    start = time.time()
    settings = os.environ | {"BENCHMARK_START": str(start)}
    done = subprocess.run(command, capture_output=True, text=True, env=settings)
    seconds = time.time() - start
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stderr[-2000:]}")
    return seconds, done.stdout


def contender(name, recipe, data, until, limit):
    "The contender's lines, one per epoch."
    script = [sys.executable, HERE / "contenders.py", name]
    choices = ["--recipe", recipe, "--data", data, "--until", until, "--limit", limit]
    _, printed = run([*script, *choices])
    return [json.loads(line) for line in printed.splitlines() if line.startswith("{")]


def seconds_until(lines, accuracy):
    "Seconds until the first epoch with that accuracy; None where it was not reached."
    for line in lines:
        if line["accuracy"] >= accuracy:
            return line["seconds"]
    return None


def to_import(module):
    "Seconds of a new process that imports a module."
    seconds, _ = run([sys.executable, "-c", f"import {module}"])
    return {"seconds": seconds}


def to_do_the_main_job(name):
    "The whole main job, report included, for ours; for the peers its training alone."
    if name != "ours":
        lines = contender(name, "quick", "standin", until=2, limit=600)
        return {"seconds": lines[-1]["seconds"]}
    with tempfile.TemporaryDirectory() as folder:
        command = [BIN / "cifar-course", "train", "--quiet", "--out", Path(folder) / "run"]
        seconds, _ = run(command)
    return {"seconds": seconds}


def to_reach_60(name, limit):
    "How long the way to 50 % and to 60 % of CIFAR-10 is, and where it ended."
    lines = contender(name, "fast", "cifar10", until=.6, limit=limit)
    return {
        "seconds to 50 %": seconds_until(lines, .5),
        "seconds to 60 %": seconds_until(lines, .6),
        "highest accuracy": max(line["accuracy"] for line in lines),
        "epochs": len(lines),
    }


def all_tasks(limit):
    "What is measured: (task, contender) to a function that does it once and gives figures."
    peers = ["ours", "DataLoader", "MLPClassifier"]
    has_keras = importlib.util.find_spec("tensorflow") is not None
    tasks = {}
    for name, module in IMPORTS.items():
        if name != "Keras" or has_keras:
            tasks["import", name] = partial(to_import, module)
    if has_keras:
        peers.append("Keras")
    for name in peers:
        if name != "MLPClassifier":                      # it cannot do the main job
            tasks["main job", name] = partial(to_do_the_main_job, name)
    for name in peers:
        tasks["60 % of CIFAR-10", name] = partial(to_reach_60, name, limit)
    return tasks


def median(values):
    "Their median, where None counts as never; None where that is never."
    middle = statistics.median([math.inf if value is None else value for value in values])
    if middle == math.inf:
        return None
    return round(middle, 3)


def measure(tasks, repeats):
    "A row of medians for each task and contender, all of them taking turns."
    found = {key: [] for key in tasks}
    with tqdm(total=repeats * len(tasks), unit="process") as bar:
        for _ in range(repeats):
            for key, task in tasks.items():
                found[key].append(task())
                bar.update()
    rows = []
    for (task, name), figures in found.items():
        row = {"task": task, "contender": name}
        for figure in figures[0]:
            row[figure] = median([once[figure] for once in figures])
        rows.append(row)
    return rows


def print_row(row):
    "A row as a line of text."
    parts = [f"{row['task']:18}", f"{row['contender']:18}"]
    for name, value in row.items():
        if name not in ("task", "contender"):
            parts.append(f"{name} {'never' if value is None else value}")
    print("  ".join(parts))


def parse_arguments():
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n")[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--repeats", type=int, default=3,
                        help="processes per contender; medians are reported")
    parser.add_argument("--limit", type=float, default=180,
                        help="seconds after which a contender gives up on 60 %%")
    parser.add_argument("--tests", action="store_true",
                        help="time the README's test command too, once")
    parser.add_argument("--json", metavar="FILE", help="write the figures here")
    return parser.parse_args()


def main():
    args = parse_arguments()
    if find_cifar10() is None:
        raise SystemExit("CIFAR-10 is not on disk: "
                         "cifar-course data --download, or set CIFAR_COURSE_DATA")
    rows = measure(all_tasks(args.limit), args.repeats)
    if args.tests:
        seconds, _ = run([BIN / "nbdev_test"])
        rows.append({"task": "nbdev_test", "contender": "ours", "seconds": round(seconds, 1)})
    for row in rows:
        print_row(row)
    if args.json:
        record = {
            "repeats": args.repeats,
            "environment": environment(),
            "limit": args.limit,
            "rows": rows,
        }
        with atomic_path(args.json) as temporary:
            temporary.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
