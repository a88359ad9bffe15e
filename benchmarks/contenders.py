"""One recipe of an MLP trained by each peer, in a process of its own: after every epoch, seconds since the process was started and test accuracy.

    python benchmarks/contenders.py NAME --recipe RECIPE --data cifar10 [--until ACCURACY] [--limit SECONDS]

Each line of the output is one epoch, as JSON. All peers get the recipe's network, batch size, augmentation and highest learning rate. Ours and the DataLoader's
start from the recipe's kind of initial weights, Keras and scikit-learn from their own. scikit-learn's MLPClassifier, which has neither augmentation nor batch norm nor schedules, trains the plain network at its own default rate, on all training pictures."""
import argparse
import json
import os
import sys
import time
import warnings

START = float(os.environ.get("BENCHMARK_START", time.time()))     # when the parent started this process


def report(epoch, accuracy, args):
    "Print the epoch's line; leave when the goal or the limit is reached."
    seconds = time.time() - START
    print(json.dumps({"epoch": epoch, "seconds": seconds, "accuracy": accuracy}), flush=True)
    if accuracy >= args.until or seconds > args.limit: sys.exit()


def ours(recipe, args):
    from cifar_course.core import has_bfloat16
    from cifar_course.runs import new_loss, new_optimizer, new_schedule, set_up
    from cifar_course.standin import load_data
    from cifar_course.training import Callback, Learner

    class Report(Callback):
        def after_epoch(self, learner): report(learner.epoch, learner.row["validation_accuracy"], args)

    phase, bench = recipe.phases[0], set_up(recipe, load_data(args.data))
    Learner(bench.model, bench.training, bench.test, new_loss(phase), new_optimizer(phase, bench.model),         # the goal is set on the test set
            [*new_schedule(phase, len(bench.training)), Report()], bfloat16=recipe.bfloat16 and has_bfloat16()).fit(phase.n_epochs)


def dataloader(recipe, args):
    "torchvision's transforms in a DataLoader of two workers; network, loss, optimizer and schedule as ours."
    import torch
    from torch.utils.data import DataLoader
    from torchvision import transforms
    from throughput import Pictures, augmentations
    from cifar_course.core import has_bfloat16
    from cifar_course.mlp import measure
    from cifar_course.runs import new_loss, new_model, new_optimizer
    from cifar_course.standin import load_data

    data = load_data(args.data)
    held_out = int(len(data.train_labels) * recipe.validation_fraction)
    pixels = data.train_images.float() / 255
    plain = [transforms.ToTensor(), transforms.Normalize(pixels.mean((0, 2, 3)), pixels.std((0, 2, 3)))]
    train = DataLoader(Pictures(data.train_images[held_out:], data.train_labels[held_out:], transforms.Compose(augmentations(recipe) + plain)), recipe.batch_size, shuffle=True, num_workers=2,
                       drop_last=True, persistent_workers=True)
    test = DataLoader(Pictures(data.test_images, data.test_labels, transforms.Compose(plain)), 1000)
    phase, model = recipe.phases[0], new_model(recipe)
    loss_fn, optimizer = new_loss(phase), new_optimizer(phase, model)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, phase.lr, total_steps=phase.n_epochs * len(train))
    for epoch in range(1, phase.n_epochs + 1):
        model.train()
        for xb, yb in train:
            with torch.autocast("cpu", torch.bfloat16, enabled=recipe.bfloat16 and has_bfloat16()): logits = model(xb)
            loss_fn(logits.float(), yb).backward()
            optimizer.step()
            optimizer.zero_grad()
            schedule.step()
        report(epoch, measure(model, test)[1], args)


def keras(recipe, args):
    "Keras' own pipeline as the reports used it, with the recipe's network, AdamW and a warm-up followed by a cosine."
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import keras as k
    from keras.src.legacy.preprocessing.image import ImageDataGenerator
    from cifar_course.standin import load_data
    data, phase, layer = load_data(args.data), recipe.phases[0], k.layers
    def pixels(images): return images.permute(0, 2, 3, 1).numpy().astype("float32") / 255
    held_out = int(len(data.train_labels) * recipe.validation_fraction)
    x, y, test = pixels(data.train_images[held_out:]), data.train_labels[held_out:].numpy(), pixels(data.test_images)
    mean, std = x.mean((0, 1, 2)), x.std((0, 1, 2))
    hidden = [part for n in recipe.hidden_sizes for part in (layer.Dense(n), *([layer.BatchNormalization()] if recipe.batch_norm else []), layer.Activation(recipe.activation))]
    model = k.Sequential([layer.Flatten(), *hidden, layer.Dense(10)])
    n_steps = phase.n_epochs * (len(x) // recipe.batch_size)
    schedule = k.optimizers.schedules.CosineDecay(phase.lr / 25, int(.7 * n_steps), warmup_target=phase.lr, warmup_steps=int(.3 * n_steps))
    def smoothed(y_true, logits): return k.losses.categorical_crossentropy(k.ops.one_hot(k.ops.cast(k.ops.squeeze(y_true, -1), "int32"), 10), logits, from_logits=True, label_smoothing=phase.label_smoothing)
    model.compile(k.optimizers.AdamW(schedule, weight_decay=phase.weight_decay), smoothed, metrics=["sparse_categorical_accuracy"])
    flow = ImageDataGenerator(rotation_range=recipe.rotation, width_shift_range=recipe.shift, height_shift_range=recipe.shift, horizontal_flip=recipe.flip).flow(
        (x - mean) / std, y[:, None], batch_size=recipe.batch_size)
    test = (test - mean) / std
    for epoch in range(1, phase.n_epochs + 1):
        model.fit(flow, epochs=1, verbose=0)
        report(epoch, float((model.predict(test, batch_size=1000, verbose=0).argmax(1) == data.test_labels.numpy()).mean()), args)


def sklearn(recipe, args):
    from sklearn.neural_network import MLPClassifier
    from cifar_course.standin import load_data
    data = load_data(args.data)
    def rows(images): return images.flatten(1).numpy().astype("float32") / 255
    x, test, labels = rows(data.train_images), rows(data.test_images), data.test_labels.numpy()
    mean, std = x.mean(), x.std()
    model = MLPClassifier(recipe.hidden_sizes, batch_size=recipe.batch_size, random_state=0)
    for epoch in range(1, 1000):
        model.partial_fit((x - mean) / std, data.train_labels.numpy(), classes=range(10) if epoch == 1 else None)
        report(epoch, float(model.score((test - mean) / std, labels)), args)


CONTENDERS = {"ours": ours, "DataLoader": dataloader, "Keras": keras, "MLPClassifier": sklearn}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("name", choices=CONTENDERS)
    parser.add_argument("--recipe", default="fast", help="a recipe of an MLP with one phase")
    parser.add_argument("--data", default="cifar10", choices=("cifar10", "standin"), help="on disk already, or drawn")
    parser.add_argument("--until", type=float, default=2., help="stop when this share of the test pictures is classified; above 1: never")
    parser.add_argument("--limit", type=float, default=600, help="stop after the epoch in which so many seconds have passed")
    args = parser.parse_args()
    warnings.filterwarnings("ignore")                    # the peers' own, about the number of workers and about deprecations
    from cifar_course.core import choose
    from cifar_course.recipes import RECIPES
    CONTENDERS[args.name](choose("recipe", args.recipe, RECIPES), args)
