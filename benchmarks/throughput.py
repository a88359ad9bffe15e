#!/usr/bin/env python3
"""How fast does training run, beside its peers, on the same work in the same run?

The work is report 1's: an MLP 3072-512-256-10 with dropout .5, rotation ±20°, shifts ±.2, flips, Adam, in its batches of 64 and in batches of 256.
The pictures are the stand-in's, which have CIFAR-10's shapes. Each contender trains for --seconds in turn, --repeats times; the table gives medians.

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
from dataclasses import replace
from functools import partial

import torch
import torch.nn.functional as F
from torch.utils.data import DataLoader
from torchvision import transforms
from tqdm import tqdm

from cifar_course.core import atomic_path, environment, has_bfloat16
from cifar_course.recipes import RECIPES
from cifar_course.runs import new_loss, new_model, new_optimizer, set_up
from cifar_course.standin import load_standin

RECIPE, EPOCH = RECIPES["lab1"], 50_000                  # pictures in an epoch of CIFAR-10
PHASE, BATCHES = RECIPE.phases[0], (RECIPE.batch_size, 256)


def train_step(model, optimizer, loss_fn, bfloat16=False):
    "The step that all PyTorch contenders share: forward, backward, Adam."
    def step(xb, yb):
        with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16): logits = model(xb)
        loss_fn(logits.float(), yb).backward()
        optimizer.step()
        optimizer.zero_grad()
    return step


def new_step(bfloat16=False):
    model = new_model(RECIPE).train()
    return train_step(model, new_optimizer(PHASE, model), new_loss(PHASE), bfloat16)


def forever(batches):
    while True: yield from batches


def ours(data, batch, bfloat16):
    step, batches = new_step(bfloat16), forever(set_up(replace(RECIPE, batch_size=batch), data).training)
    return lambda: step(*next(batches))


class Pictures(torch.utils.data.Dataset):
    "The pictures as torchvision's CIFAR10 hands them out: PIL images, one at a time, through a transform."
    def __init__(self, images, labels, transform):
        self.images, self.labels, self.transform = [transforms.functional.to_pil_image(x) for x in images], labels.tolist(), transform
    def __len__(self): return len(self.labels)
    def __getitem__(self, i): return self.transform(self.images[i]), self.labels[i]


def augmentations(recipe):
    "The recipe's flips, rotations and shifts as torchvision's transforms of one picture."
    return [transforms.RandomHorizontalFlip(.5 if recipe.flip else 0),
            transforms.RandomAffine(recipe.rotation, (recipe.shift, recipe.shift), interpolation=transforms.InterpolationMode.BILINEAR)]


def dataloader(data, batch, workers):
    pictures = Pictures(data.train_images, data.train_labels, transforms.Compose([*augmentations(RECIPE), transforms.ToTensor()]))
    loader = DataLoader(pictures, batch, shuffle=True, num_workers=workers, drop_last=True, persistent_workers=workers > 0)
    step, batches = new_step(), forever(loader)
    return lambda: step(*next(batches))


def floor(data, batch, bfloat16):
    """What no pipeline can do without: the step's eight matrix products and the fused Adam step, on fixed numbers.

    In bfloat16 that takes casts: Adam keeps the weights in float32, so they are new at each step, and wants their gradients in float32 too."""
    model = new_model(RECIPE)
    optimizer, linear = new_optimizer(PHASE, model), [layer for layer in model if isinstance(layer, torch.nn.Linear)]
    F.cross_entropy(model(data.train_images[:batch] / 255), data.train_labels[:batch]).backward()
    kind = torch.bfloat16 if bfloat16 else torch.float32
    pairs = [(torch.randn(batch, layer.in_features, dtype=kind), torch.randn(batch, layer.out_features, dtype=kind), layer) for layer in linear]
    @torch.no_grad()
    def step():
        for i, (x, gradient, layer) in enumerate(pairs):
            weight, grad = layer.weight.to(kind), layer.weight.grad
            F.linear(x, weight, layer.bias.to(kind))
            if bfloat16: grad.copy_(gradient.T @ x)
            else: torch.mm(gradient.T, x, out=grad)
            if i: gradient @ weight                      # the pictures themselves need no gradient
        optimizer.step()
    return step


def keras(data, batch):
    "Keras' own pipeline, as the reports used it; one call trains on one batch."
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import keras as k
    from keras.src.legacy.preprocessing.image import ImageDataGenerator
    layer = k.layers
    model = k.Sequential([layer.Flatten(), layer.Dense(512, "relu"), layer.Dropout(.5), layer.Dense(256, "relu"), layer.Dropout(.5), layer.Dense(10, "softmax")])
    model.compile(k.optimizers.Adam(1e-3), "categorical_crossentropy")
    x = data.train_images.permute(0, 2, 3, 1).numpy() / 255
    flow = ImageDataGenerator(rotation_range=20, width_shift_range=.2, height_shift_range=.2, horizontal_flip=True).flow(
        x, F.one_hot(data.train_labels).numpy(), batch_size=batch)
    return lambda: model.train_on_batch(*next(flow))


CONTENDERS = {"ours, float32": partial(ours, bfloat16=False), "floor, float32": partial(floor, bfloat16=False),
              "ours, bfloat16": partial(ours, bfloat16=True), "floor, bfloat16": partial(floor, bfloat16=True),
              "DataLoader, 0 workers": partial(dataloader, workers=0), "DataLoader, 2 workers": partial(dataloader, workers=2),
              "Keras ImageDataGenerator": keras}


def in_child(name, batch):
    "The contender's rate, measured in a process of its own: in one process they would slow each other down, through TensorFlow's threads and through the memory they free."
    child = subprocess.Popen([sys.executable, __file__, "--child", name, "--batch-size", str(batch)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    def rate(seconds):
        print(seconds, file=child.stdin, flush=True)
        if not (line := child.stdout.readline()): raise SystemExit(f"{name} failed; --profile '{name}' --batch-size {batch} shows why")
        return float(line)
    rate(1)                                              # warm up, before the next one starts
    return rate


def images_per_second(step, batch, seconds):
    start, n = time.perf_counter(), 0
    while (spent := time.perf_counter() - start) < seconds:
        step()
        n += batch
    return n / spent


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--seconds", type=float, default=4, help="of training per contender and repeat")
    parser.add_argument("--repeats", type=int, default=5, help="rounds over all contenders; medians are reported")
    parser.add_argument("--json", metavar="FILE", help="write the rows here")
    parser.add_argument("--batch-size", type=int, nargs="+", default=BATCHES, help="pictures in a batch")
    parser.add_argument("--child", choices=CONTENDERS, help=argparse.SUPPRESS)
    parser.add_argument("--profile", choices=CONTENDERS, metavar="CONTENDER", help="show where, say, 'ours, float32' spends its time instead, in the first of the batch sizes")
    args = parser.parse_args()
    if name := args.child or args.profile:
        warnings.filterwarnings("ignore", message="This DataLoader will create")     # it counts cores; two workers are the question here
        step = CONTENDERS[name](load_standin(), args.batch_size[0])
        if args.profile: return show_profile(step)
        for line in sys.stdin: print(images_per_second(step, args.batch_size[0], float(line)), flush=True)
        return
    left_out = [] if has_bfloat16() else ["ours, bfloat16", "floor, bfloat16"]       # only emulated here, slower than float32
    if not importlib.util.find_spec("tensorflow"): left_out.append("Keras ImageDataGenerator")
    measures = {(batch, name): in_child(name, batch) for batch in args.batch_size for name in CONTENDERS if name not in left_out}
    rates = {key: [] for key in measures}
    with tqdm(total=args.repeats * len(measures), unit="round", leave=False) as bar:
        for _ in range(args.repeats):
            for key, rate in measures.items():
                rates[key].append(rate(args.seconds))
                bar.update()
    median = {key: statistics.median(values) for key, values in rates.items()}
    rows = []
    for (batch, name), rate in median.items():
        peer = max(median[key] for key in median if key[0] == batch and key[1].startswith("DataLoader"))
        floor_rate = median[batch, "floor, bfloat16" if "bfloat16" in name else "floor, float32"]
        rows.append({"batch_size": batch, "name": name, "images_per_s": round(rate), "ms_per_step": round(1000 * batch / rate, 2), "seconds_per_epoch": round(EPOCH / rate, 2),
                     "times_best_dataloader": round(rate / peer, 2), "share_of_floor": round(rate / floor_rate, 2)})
    print(f"{'batch':>5} {'':26}{'images/s':>10}{'ms/step':>9}{'s/epoch':>9}{'× DataLoader':>14}{'of its floor':>14}")
    for r in rows: print(f"{r['batch_size']:>5} {r['name']:26}{r['images_per_s']:>10,}{r['ms_per_step']:>9}{r['seconds_per_epoch']:>9}{r['times_best_dataloader']:>14}{r['share_of_floor']:>14}")
    if args.json:
        with atomic_path(args.json) as temporary: temporary.write_text(json.dumps({"environment": environment(), "rows": rows}, indent=1) + "\n")


def show_profile(step, n=100):
    for _ in range(10): step()
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        for _ in range(n): step()
    print(profile.key_averages().table(sort_by="self_cpu_time_total", row_limit=18, max_name_column_width=45))


if __name__ == "__main__": main()
