#!/usr/bin/env python3
"""How fast does training run, beside its peers, on the same work in the same run?

The work is report 1's: an MLP 3072-512-256-10 with dropout .5, rotation ±20°, shifts ±.2, flips, Adam, batches of 64. The pictures are the
stand-in's, which have CIFAR-10's shapes. Each contender trains for --seconds in turn, --repeats times; the table gives medians.

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

from cifar_course.core import atomic_path, environment, has_bfloat16
from cifar_course.recipes import RECIPES
from cifar_course.runs import new_loss, new_model, new_optimizer, set_up
from cifar_course.standin import load_standin

RECIPE, EPOCH = RECIPES["lab1"], 50_000                  # pictures in an epoch of CIFAR-10
PHASE, BATCH = RECIPE.phases[0], RECIPE.batch_size


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


def ours(data, bfloat16):
    step, batches = new_step(bfloat16), forever(set_up(RECIPE, data).training)
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


def dataloader(data, workers):
    pictures = Pictures(data.train_images, data.train_labels, transforms.Compose([*augmentations(RECIPE), transforms.ToTensor()]))
    loader = DataLoader(pictures, BATCH, shuffle=True, num_workers=workers, drop_last=True, persistent_workers=workers > 0)
    step, batches = new_step(), forever(loader)
    return lambda: step(*next(batches))


def floor(data):
    "What no pipeline can do without: the step's eight matrix products and the fused Adam step, on fixed numbers."
    model = new_model(RECIPE)
    optimizer, linear = new_optimizer(PHASE, model), [layer for layer in model if isinstance(layer, torch.nn.Linear)]
    F.cross_entropy(model(data.train_images[:BATCH] / 255), data.train_labels[:BATCH]).backward()
    pairs = [(torch.randn(BATCH, layer.in_features), torch.randn(BATCH, layer.out_features), layer) for layer in linear]
    @torch.no_grad()
    def step():
        for i, (x, gradient, layer) in enumerate(pairs):
            F.linear(x, layer.weight, layer.bias)
            torch.mm(gradient.T, x, out=layer.weight.grad)
            if i: gradient @ layer.weight                # the pictures themselves need no gradient
        optimizer.step()
    return step


def keras(data):
    "Keras' own pipeline, as the reports used it; one call trains on one batch."
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import keras as k
    from keras.src.legacy.preprocessing.image import ImageDataGenerator
    layer = k.layers
    model = k.Sequential([layer.Flatten(), layer.Dense(512, "relu"), layer.Dropout(.5), layer.Dense(256, "relu"), layer.Dropout(.5), layer.Dense(10, "softmax")])
    model.compile(k.optimizers.Adam(1e-3), "categorical_crossentropy")
    x = data.train_images.permute(0, 2, 3, 1).numpy() / 255
    flow = ImageDataGenerator(rotation_range=20, width_shift_range=.2, height_shift_range=.2, horizontal_flip=True).flow(
        x, F.one_hot(data.train_labels).numpy(), batch_size=BATCH)
    return lambda: model.train_on_batch(*next(flow))


def in_child(name):
    "The contender's rate, measured in a process of its own: with TensorFlow loaded, PyTorch in the same process runs at half its speed."
    child = subprocess.Popen([sys.executable, __file__, "--child", name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    def rate(seconds):
        print(seconds, file=child.stdin, flush=True)
        return float(child.stdout.readline())
    return rate


def serve(step):
    "The child's side: seconds in, pictures per second out, line by line."
    for line in sys.stdin: print(images_per_second(step, float(line)), flush=True)


def images_per_second(step, seconds):
    start, n = time.perf_counter(), 0
    while (spent := time.perf_counter() - start) < seconds:
        step()
        n += BATCH
    return n / spent


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--seconds", type=float, default=4, help="of training per contender and repeat")
    parser.add_argument("--repeats", type=int, default=5, help="rounds over all contenders; medians are reported")
    parser.add_argument("--json", metavar="FILE", help="write the rows here")
    parser.add_argument("--child", choices=["Keras"], help=argparse.SUPPRESS)
    parser.add_argument("--profile", action="store_true", help="show where ours spends its time instead")
    args = parser.parse_args()
    warnings.filterwarnings("ignore", message="This DataLoader will create")         # it counts cores; two workers are the question here
    data = load_standin()
    if args.child: return serve(keras(data))
    if args.profile: return show_profile(ours(data, False))
    contenders = {"ours, float32": ours(data, False), "ours, bfloat16" + ("" if has_bfloat16() else " (emulated)"): ours(data, True),
                  "DataLoader, 0 workers": dataloader(data, 0), "DataLoader, 2 workers": dataloader(data, 2), "floor": floor(data)}
    measures = {name: partial(images_per_second, step) for name, step in contenders.items()}
    if importlib.util.find_spec("tensorflow"): measures["Keras ImageDataGenerator"] = in_child("Keras")
    rates = {name: [] for name in measures}
    for rate in measures.values(): rate(1)                                            # warm up; workers start here
    with tqdm(total=args.repeats * len(measures), unit="round", leave=False) as bar:
        for _ in range(args.repeats):
            for name, rate in measures.items():
                rates[name].append(rate(args.seconds))
                bar.update()
    median = {name: statistics.median(values) for name, values in rates.items()}
    peer = max(rate for name, rate in median.items() if name.startswith("DataLoader"))
    rows = [{"name": name, "images_per_s": round(rate), "ms_per_step": round(1000 * BATCH / rate, 2), "seconds_per_epoch": round(EPOCH / rate, 2),
             "times_best_dataloader": round(rate / peer, 2), "share_of_floor": round(rate / median["floor"], 2)} for name, rate in median.items()]
    print(f"{'':28}{'images/s':>10}{'ms/step':>9}{'s/epoch':>9}{'× DataLoader':>14}{'of the floor':>14}")
    for r in rows: print(f"{r['name']:28}{r['images_per_s']:>10,}{r['ms_per_step']:>9}{r['seconds_per_epoch']:>9}{r['times_best_dataloader']:>14}{r['share_of_floor']:>14}")
    if args.json:
        with atomic_path(args.json) as temporary: temporary.write_text(json.dumps({"environment": environment(), "rows": rows}, indent=1) + "\n")


def show_profile(step, n=100):
    for _ in range(10): step()
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        for _ in range(n): step()
    print(profile.key_averages().table(sort_by="self_cpu_time_total", row_limit=18, max_name_column_width=45))


if __name__ == "__main__": main()
