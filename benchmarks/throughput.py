#!/usr/bin/env python3
"""How fast does training run, beside its peers, on the same work in the same run?

The work is report 1's: an MLP 3072-512-256-10 with dropout .5, rotation ±20°, shifts ±.2,
flips, Adam, in its batches of 64 and in batches of 256. The pictures are the stand-in's, which
have CIFAR-10's shapes. Each contender trains for --seconds in turn, --repeats times; the table
gives medians.

    python benchmarks/throughput.py [--json FILE]
"""
import argparse
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import time
import warnings
from functools import partial

import torch
import torch.nn.functional as F
from torch.utils.data import DataLoader
from torchvision import transforms
from tqdm import tqdm

from cifar_course.core import atomic_path, environment, flushed_denormals, has_bfloat16
from cifar_course.data.standin import load_standin
from cifar_course.lab.build import build, new_model
from cifar_course.lab.catalogue import RECIPES
from cifar_course.lab.recipe import change_recipe
from cifar_course.lab.registries import new_loss, new_phase_optimizer
from cifar_course.show.tables import text_table

RECIPE = RECIPES["lab1"]
PHASE = RECIPE.phases[0]
BATCH_SIZES = (RECIPE.batch_size, 256)
EPOCH = 50_000                                           # pictures in an epoch of CIFAR-10


def train_step(model, optimizer, loss_fn, bfloat16=False):
    "The step that all PyTorch contenders share: forward, backward, optimizer."
    def step(xb, yb):
        with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            logits = model(xb)
        loss_fn(logits.float(), yb).backward()
        optimizer.step()
        optimizer.zero_grad()

    return step


def new_step(spec, bfloat16=False):
    "The step of a new model of the recipe."
    model = new_model(RECIPE, spec).train()
    loss_fn = new_loss(PHASE.loss, **PHASE.loss_settings)
    return train_step(model, new_phase_optimizer(PHASE, model), loss_fn, bfloat16)


def forever(batches):
    "The batches, pass after pass."
    while True:
        yield from batches


def ours(data, batch_size, bfloat16):
    "The course's batches: cut, augmented and standardised as one tensor."
    recipe = change_recipe(RECIPE, {"batch_size": batch_size})
    batches = forever(build(recipe, data).training)
    step = new_step(data.spec, bfloat16)
    return lambda: step(*next(batches))


class Pictures(torch.utils.data.Dataset):
    "Pictures as torchvision's CIFAR10 hands them out: PIL images, one by one, transformed."
    def __init__(self, images, labels, transform):
        self.images = [transforms.functional.to_pil_image(image) for image in images]
        self.labels = labels.tolist()
        self.transform = transform

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, i):
        return self.transform(self.images[i]), self.labels[i]


def augmentations(recipe):
    "The recipe's flips, rotations and shifts as torchvision's transforms of one picture."
    flip = transforms.RandomHorizontalFlip(.5 if recipe.flip else 0)
    move = transforms.RandomAffine(
        recipe.rotation,
        (recipe.shift, recipe.shift),
        interpolation=transforms.InterpolationMode.BILINEAR,
    )
    return [flip, move]


def dataloader(data, batch_size, workers):
    "torchvision's transforms in a DataLoader; the step as ours."
    transform = transforms.Compose([*augmentations(RECIPE), transforms.ToTensor()])
    loader = DataLoader(
        Pictures(data.train_images, data.train_labels, transform),
        batch_size,
        shuffle=True,
        num_workers=workers,
        drop_last=True,
        persistent_workers=workers > 0,
    )
    batches = forever(loader)
    step = new_step(data.spec)
    return lambda: step(*next(batches))


def floor(data, batch_size, bfloat16):
    """What no pipeline can do without: the step's eight matrix products and the fused Adam.

    On fixed numbers. In bfloat16 that takes casts: Adam keeps the weights in float32, so they
    are new at each step, and wants their gradients in float32 too."""
    model = new_model(RECIPE, data.spec)
    optimizer = new_phase_optimizer(PHASE, model)
    images, labels = data.train_images[:batch_size], data.train_labels[:batch_size]
    F.cross_entropy(model(images / 255), labels).backward()
    dtype = torch.bfloat16 if bfloat16 else torch.float32
    parts = []                                           # inputs, gradient of outputs, layer
    for layer in model:
        if isinstance(layer, torch.nn.Linear):
            x = torch.randn(batch_size, layer.in_features, dtype=dtype)
            gradient = torch.randn(batch_size, layer.out_features, dtype=dtype)
            parts.append((x, gradient, layer))

    @torch.no_grad()
    def step():
        for i, (x, gradient, layer) in enumerate(parts):
            weight = layer.weight.to(dtype)
            weight_gradient = layer.weight.grad
            F.linear(x, weight, layer.bias.to(dtype))
            if bfloat16:
                weight_gradient.copy_(gradient.T @ x)
            else:
                torch.mm(gradient.T, x, out=weight_gradient)
            if i > 0:                                    # the pictures need no gradient
                gradient @ weight
        optimizer.step()

    return step


def keras(data, batch_size):
    "Keras' own pipeline, as the reports used it; one call trains on one batch."
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from keras import Sequential, layers, optimizers
    from keras.src.legacy.preprocessing.image import ImageDataGenerator

    model = Sequential([
        layers.Flatten(),
        layers.Dense(512, "relu"),
        layers.Dropout(.5),
        layers.Dense(256, "relu"),
        layers.Dropout(.5),
        layers.Dense(10, "softmax"),
    ])
    model.compile(optimizers.Adam(1e-3), "categorical_crossentropy")
    generator = ImageDataGenerator(
        rotation_range=20,
        width_shift_range=.2,
        height_shift_range=.2,
        horizontal_flip=True,
    )
    x = data.train_images.permute(0, 2, 3, 1).numpy() / 255
    flow = generator.flow(x, F.one_hot(data.train_labels).numpy(), batch_size=batch_size)
    return lambda: model.train_on_batch(*next(flow))


CONTENDERS = {                                           # each: (data, batch size) to a step
    "ours, float32": partial(ours, bfloat16=False),
    "floor, float32": partial(floor, bfloat16=False),
    "ours, bfloat16": partial(ours, bfloat16=True),
    "floor, bfloat16": partial(floor, bfloat16=True),
    "DataLoader, 0 workers": partial(dataloader, workers=0),
    "DataLoader, 2 workers": partial(dataloader, workers=2),
    "Keras ImageDataGenerator": keras,
}


def images_per_second(step, batch_size, seconds):
    "The rate at which `step` takes pictures, over at least so many seconds."
    start = time.perf_counter()
    n = 0
    spent = 0.
    while spent < seconds:
        step()
        n += batch_size
        spent = time.perf_counter() - start
    return n / spent


def measure_when_asked(step, batch_size):
    "A child's work: for each line of seconds on standard input, a rate on standard output."
    for line in sys.stdin:
        print(images_per_second(step, batch_size, float(line)), flush=True)


def in_child(name, batch_size):
    """A function of seconds that gives the contender's rate, measured in a process of its own.

    In one process they would slow each other down, through TensorFlow's threads and through the
    memory they free."""
    child = subprocess.Popen(
        [sys.executable, __file__, "--child", name, "--batch-size", str(batch_size)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )

    def rate(seconds):
        print(seconds, file=child.stdin, flush=True)
        line = child.stdout.readline()
        if not line:
            raise SystemExit(f"{name} failed; "
                             f"--profile '{name}' --batch-size {batch_size} shows why")
        return float(line)

    rate(1)                                              # warm up, before the next one starts
    return rate


def can_run(name):
    "Is there what the contender needs? (Where bfloat16 is only emulated, float32 is faster.)"
    if "bfloat16" in name:
        return has_bfloat16()
    if "Keras" in name:
        return importlib.util.find_spec("tensorflow") is not None
    return True


def measure_all(batch_sizes, seconds, repeats):
    "Median pictures per second for each (batch size, name), the contenders taking turns."
    measures = {}
    for batch_size in batch_sizes:
        for name in CONTENDERS:
            if can_run(name):
                measures[batch_size, name] = in_child(name, batch_size)
    rates = {key: [] for key in measures}
    with tqdm(total=repeats * len(measures), unit="round", leave=False) as bar:
        for _ in range(repeats):
            for key, rate in measures.items():
                rates[key].append(rate(seconds))
                bar.update()
    return {key: statistics.median(values) for key, values in rates.items()}


def to_rows(medians):
    "A row for each contender, with its share of the floor of its precision and batch size."
    rows = []
    for (batch_size, name), rate in medians.items():
        precision = "bfloat16" if "bfloat16" in name else "float32"
        floor_rate = medians[batch_size, f"floor, {precision}"]
        best_dataloader = max(medians[batch_size, "DataLoader, 0 workers"],
                              medians[batch_size, "DataLoader, 2 workers"])
        rows.append({
            "batch_size": batch_size,
            "name": name,
            "images_per_s": round(rate),
            "ms_per_step": round(1000 * batch_size / rate, 2),
            "seconds_per_epoch": round(EPOCH / rate, 2),
            "times_best_dataloader": round(rate / best_dataloader, 2),
            "share_of_floor": round(rate / floor_rate, 2),
        })
    return rows


def show_profile(step, n_steps=100):
    "Print where the steps spend their time."
    for _ in range(10):
        step()
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        for _ in range(n_steps):
            step()
    averages = profile.key_averages()
    print(averages.table("self_cpu_time_total", row_limit=18, max_name_column_width=45))


def parse_arguments():
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n")[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--seconds", type=float, default=4,
                        help="of training per contender and repeat")
    parser.add_argument("--repeats", type=int, default=5,
                        help="rounds over all contenders; medians are reported")
    parser.add_argument("--json", metavar="FILE", help="write the rows here")
    parser.add_argument("--batch-size", type=int, nargs="+", default=BATCH_SIZES,
                        help="pictures in a batch")
    parser.add_argument("--child", choices=CONTENDERS, help=argparse.SUPPRESS)
    parser.add_argument("--profile", choices=CONTENDERS, metavar="CONTENDER",
                        help="show where, say, 'ours, float32' spends its time instead, "
                             "in the first of the batch sizes")
    return parser.parse_args()


def main():
    args = parse_arguments()
    # DataLoader counts cores; whether two workers pay is the question here
    warnings.filterwarnings("ignore", message="This DataLoader will create")
    alone = args.child or args.profile
    if alone:
        with flushed_denormals():
            step = CONTENDERS[alone](load_standin(), args.batch_size[0])
            if args.child:
                measure_when_asked(step, args.batch_size[0])
            else:
                show_profile(step)
        return
    rows = to_rows(measure_all(args.batch_size, args.seconds, args.repeats))
    head = ["batch", "", "images/s", "ms/step", "s/epoch", "× DataLoader", "of its floor"]
    print(text_table(head, [list(row.values()) for row in rows]))
    if args.json:
        record = {"environment": environment(), "rows": rows}
        with atomic_path(args.json) as temporary:
            temporary.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
