"""What a second process brings to a training, and what it costs to keep the two in step.

    python benchmarks/processes.py [--rounds N] [--json FILE]

Times stretches of the training of a recipe on the stand-in: by one process in one thread, by
one process in two threads, and by two processes in one thread each, which `torchrun` starts and
which share every batch. Each round starts all three anew, one after the other, so that what
slows the machine slows them alike. Beside it, the runs of a comparison and the trials of a
search, by one worker and by two. Then it times what two processes say to each other after every
batch: an all-reduce of as many numbers as the recipe has parameters, and one of a single
number. Run it alone, on two cores that are free: it is a clock."""
import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
import torch.distributed as dist
from tabulate import tabulate
from tqdm import tqdm

from cifar_course.core import atomic_path, environment, fastest, flushed_denormals, threads
from cifar_course.data.sources import load_data
from cifar_course.lab.build import build
from cifar_course.lab.catalogue import RECIPES
from cifar_course.lab.recipe import change_recipe
from cifar_course.lab.together import TrainTogether, joined, shared_bench, train_together
from cifar_course.lab.train import new_learner
from cifar_course.studies.runner import run_study
from cifar_course.studies.study import Arm, Study

TRAININGS = (                                            # recipe, pictures a batch
    ("mlp", 64),
    ("mlp", 256),
    ("mlp", 1024),
    ("cnn", 64),
    ("cnn", 256),
)
WAYS = ((1, 1), (1, 2), (2, 1))                          # processes, threads of each
N_PICTURES = 8_192                                       # of a stretch
RUN = {                                                  # of those that need not talk
    "hidden_sizes": [256],
    "batch_size": 8,
    "phases.0.n_epochs": 1,                              # so that no trial is given up early
}


def pictures_per_second(processes, recipe, batch_size):
    "Of all processes together: the quickest of three stretches."
    recipe = change_recipe(RECIPES[recipe], {
        "batch_size": batch_size,
        "phases.0.schedule": "constant",
    })
    bench = shared_bench(build(recipe, load_data("standin")), processes)
    together = [TrainTogether(processes)] if processes.n > 1 else []
    learner = new_learner(recipe, bench)
    learner.callbacks = together
    train_together(learner, processes, seed=0)
    bench.training.n_batches = N_PICTURES // batch_size
    learner.call("before_epoch")
    return bench.training.n_batches * batch_size / fastest(learner.train_epoch)


def seconds_to_agree(n_numbers):
    "Of an all-reduce of so many floats."
    numbers = torch.zeros(n_numbers)

    def ten_times():
        for _ in range(10):
            dist.all_reduce(numbers)

    return fastest(ten_times, 5) / 10


def work(args):
    "What one of the processes does; the first writes what it found."
    with flushed_denormals(), threads(args.threads), joined("cpu") as processes:
        if args.recipe:
            found = pictures_per_second(processes, args.recipe, args.batch_size)
        else:
            found = seconds_to_agree(args.numbers)
        if processes.is_first:
            args.work.write_text(json.dumps(found))


def measure(n_processes, n_threads, *arguments):
    "What the first of so many processes finds."
    start = [sys.executable]
    if n_processes > 1:
        start += ["-m", "torch.distributed.run", "--standalone",
                  "--nproc-per-node", str(n_processes)]
    with TemporaryDirectory() as folder:
        found = Path(folder) / "found.json"
        words = [*start, __file__, "--work", found, "--threads", n_threads, *arguments]
        done = subprocess.run(
            [str(word) for word in words],
            env=os.environ | {"OMP_NUM_THREADS": str(n_threads)},
            capture_output=True,
            text=True,
        )
        if done.returncode:
            sys.exit(done.stderr)
        return json.loads(found.read_text())


def seconds_of_runs(n_workers):
    "Of eight runs of a comparison, so many at the same time, from start to end."
    base = change_recipe(RECIPES["quick"], RUN | {"bfloat16": False})
    study = Study(about="eight runs", base=base, arms={"one": Arm(lrs=(.008,))})
    data = load_data("standin")
    start = time.perf_counter()
    run_study(study, data, range(8), n_workers, progress=False)
    return time.perf_counter() - start


def seconds_of_trials(n_workers):
    "Of eight trials of a search by so many processes, from start to end."
    command = [sys.executable, "-m", "cifar_course", "search", "quick", "--trials", "8",
               "--threads", "1", "--set", "bfloat16=False"]
    for name, value in RUN.items():
        command += ["--set", f"{name}={value}"]
    with TemporaryDirectory() as folder:
        (Path(folder) / "space.json").write_text('{"dropout": {"low": 0, "high": 0.01}}')
        command += ["--space", "space.json"]
        start = time.perf_counter()
        shells = [subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL) for _ in range(n_workers)]
        for shell in shells:
            if shell.wait():
                sys.exit("a search failed: try its command by hand")
        return time.perf_counter() - start


def independent_rows(n_rounds):
    "Seconds of runs and of trials with one worker and with two, of each round."
    found = {}
    for _ in tqdm(range(n_rounds), unit="round"):
        for what, seconds in (("runs", seconds_of_runs), ("trials", seconds_of_trials)):
            for n_workers in (1, 2):
                found.setdefault((what, n_workers), []).append(seconds(n_workers))
    return [{"what": what, "workers": n_workers, "seconds": seconds}
            for (what, n_workers), seconds in found.items()]


def all_rows(n_rounds):
    "A row for each training in each way, with what each round found."
    found = {}
    for _ in tqdm(range(n_rounds), unit="round"):
        for recipe, batch_size in tqdm(TRAININGS, unit="training", leave=False):
            for way in WAYS:
                speed = measure(*way, "--recipe", recipe, "--batch-size", batch_size)
                found.setdefault((recipe, batch_size, *way), []).append(speed)
    names = ("recipe", "batch_size", "processes", "threads")
    return [dict(zip(names, key)) | {"pictures_per_second": speeds}
            for key, speeds in found.items()]


def agreement(n_rounds):
    "Seconds to agree on one number, and on as many as a recipe has parameters."
    rows = []
    for what, n_numbers in (("one number", 1), ("cnn", 345_770), ("mlp", 1_707_770)):
        seconds = [measure(2, 1, "--numbers", n_numbers) for _ in range(n_rounds)]
        rows.append({"what": what, "numbers": n_numbers, "seconds": seconds})
    return rows


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path, help="write the figures to this file too")
    for name in ("--work", "--recipe", "--batch-size", "--numbers", "--threads"):
        kind = {"--work": Path, "--recipe": str}.get(name, int)
        parser.add_argument(name, type=kind, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.work:
        work(args)
        return
    independent = independent_rows(args.rounds)
    rows, agreed = all_rows(args.rounds), agreement(args.rounds)
    table = []
    for row in rows:
        speeds = row.pop("pictures_per_second")
        table.append([*row.values(), f"{statistics.median(speeds):,.0f}"])
        row["pictures_per_second"] = speeds
    print(tabulate(table, ["recipe", "batch", "processes", "threads", "pictures per second"]))
    for row in independent:
        print(f"eight {row['what']}, {row['workers']} at the same time: "
              f"{statistics.median(row['seconds']):.1f} s")
    for row in agreed:
        print(f"all-reduce of {row['what']}: {statistics.median(row['seconds']) * 1e3:.2f} ms")
    if args.json:
        record = {
            "what": __doc__.splitlines()[0],
            "rows": rows,
            "independent": independent,
            "agreement": agreed,
            "environment": environment(),
        }
        with atomic_path(args.json) as temporary:
            temporary.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
