"""One recipe of an MLP trained by each peer, in a process of its own; a line per epoch.

    python benchmarks/contenders.py NAME --recipe RECIPE --data cifar10
                                    [--until ACCURACY] [--limit SECONDS]

A line is JSON: the epoch, seconds since the process was started, test accuracy. All peers get
the recipe's network, batch size, augmentation and highest learning rate. Ours and the
DataLoader's start from the recipe's kind of initial weights, Keras and scikit-learn from their
own. scikit-learn's MLPClassifier, which has neither augmentation nor batch norm nor schedules,
trains the plain network at its own default rate, on all training pictures.

Each contender imports what it needs and no more: imports are part of its time."""
import argparse
import json
import os
import sys
import time
import warnings

# when the process was started: whoever starts it knows best
START = float(os.environ.get("BENCHMARK_START", time.time()))


def report(epoch, accuracy, args):
    "Print the epoch's line; leave when the goal or the limit is reached."
    seconds = time.time() - START
    print(json.dumps({"epoch": epoch, "seconds": seconds, "accuracy": accuracy}), flush=True)
    if accuracy >= args.until or seconds > args.limit:
        sys.exit()


def n_held_out(recipe, data):
    "How many training pictures a peer leaves out, as the recipe does for validation."
    return int(len(data.train_labels) * recipe.validation_fraction)


def ours(recipe, args):
    "The course's Learner with the recipe's batches, optimizer and schedule."
    from cifar_course.core import flushed_denormals, has_bfloat16
    from cifar_course.data.sources import load_data
    from cifar_course.lab.build import build
    from cifar_course.lab.registries import new_loss, new_phase_optimizer, new_schedule
    from cifar_course.training import Callback, Learner

    class Report(Callback):
        def after_epoch(self, learner):
            report(learner.epoch, learner.row["validation_accuracy"], args)

    phase = recipe.phases[0]
    bench = build(recipe, load_data(args.data))
    learner = Learner(
        bench.model,
        bench.training,
        bench.test,                                      # the goal is set on the test set
        new_loss(phase.loss, **phase.loss_settings),
        new_phase_optimizer(phase, bench.model),
        [*new_schedule(phase, len(bench.training)), Report()],
        bfloat16=recipe.bfloat16 and has_bfloat16(),
    )
    with flushed_denormals():
        learner.fit(phase.n_epochs)


def dataloader(recipe, args):
    "torchvision's transforms, a DataLoader of two workers; the rest of the training as ours."
    import torch
    from throughput import Pictures, augmentations, train_step
    from torch.utils.data import DataLoader
    from torchvision import transforms

    from cifar_course.core import flushed_denormals, has_bfloat16
    from cifar_course.data.sources import load_data
    from cifar_course.lab.build import new_model
    from cifar_course.lab.registries import new_loss, new_phase_optimizer
    from cifar_course.mlp import measure

    data = load_data(args.data)
    first = n_held_out(recipe, data)
    pixels = data.train_images.float() / 255
    normalise = transforms.Normalize(pixels.mean((0, 2, 3)), pixels.std((0, 2, 3)))
    plain = [transforms.ToTensor(), normalise]
    varied = transforms.Compose([*augmentations(recipe), *plain])
    train_pictures = Pictures(data.train_images[first:], data.train_labels[first:], varied)
    test_pictures = Pictures(data.test_images, data.test_labels, transforms.Compose(plain))
    train_batches = DataLoader(
        train_pictures,
        recipe.batch_size,
        shuffle=True,
        num_workers=2,
        drop_last=True,
        persistent_workers=True,
    )
    test_batches = DataLoader(test_pictures, 1000)

    phase = recipe.phases[0]
    model = new_model(recipe, data.spec)
    loss_fn = new_loss(phase.loss, **phase.loss_settings)
    optimizer = new_phase_optimizer(phase, model)
    step = train_step(model, optimizer, loss_fn, recipe.bfloat16 and has_bfloat16())
    n_steps = phase.n_epochs * len(train_batches)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, phase.lr, n_steps)
    with flushed_denormals():
        for epoch in range(1, phase.n_epochs + 1):
            model.train()
            for xb, yb in train_batches:
                step(xb, yb)
                schedule.step()
            report(epoch, measure(model, test_batches)["accuracy"], args)


def keras_network(recipe):
    "The recipe's network, from Keras' parts."
    from keras import Sequential, layers

    model = Sequential([layers.Flatten()])
    for n in recipe.hidden_sizes:
        model.add(layers.Dense(n))
        if recipe.batch_norm:
            model.add(layers.BatchNormalization())
        model.add(layers.Activation(recipe.activation))
    model.add(layers.Dense(10))
    return model


def keras_pixels(images):
    "Bytes (n, 3, 32, 32) as Keras takes pictures: floats from 0 to 1, (n, 32, 32, 3)."
    return images.permute(0, 2, 3, 1).numpy().astype("float32") / 255


def keras(recipe, args):
    "Keras' own pipeline as the reports used it; AdamW, a warm-up followed by a cosine."
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from keras import losses, ops, optimizers
    from keras.src.legacy.preprocessing.image import ImageDataGenerator

    from cifar_course.data.sources import load_data

    data = load_data(args.data)
    first = n_held_out(recipe, data)
    x = keras_pixels(data.train_images[first:])
    mean, std = x.mean((0, 1, 2)), x.std((0, 1, 2))
    x = (x - mean) / std
    labels = data.train_labels[first:].numpy()
    test_x = (keras_pixels(data.test_images) - mean) / std
    test_labels = data.test_labels.numpy()

    phase = recipe.phases[0]
    n_steps = phase.n_epochs * (len(x) // recipe.batch_size)
    schedule = optimizers.schedules.CosineDecay(
        phase.lr / 25,
        int(.7 * n_steps),
        warmup_target=phase.lr,
        warmup_steps=int(.3 * n_steps),
    )
    optimizer = optimizers.AdamW(
        schedule,
        weight_decay=phase.optimizer_settings["weight_decay"],
    )
    label_smoothing = phase.loss_settings.get("label_smoothing", 0.)

    def smoothed(y_true, logits):                        # y_true (n, 1), logits (n, 10)
        rows = ops.one_hot(ops.cast(ops.squeeze(y_true, -1), "int32"), 10)
        return losses.categorical_crossentropy(
            rows, logits, from_logits=True, label_smoothing=label_smoothing)

    model = keras_network(recipe)
    model.compile(optimizer, smoothed, metrics=["sparse_categorical_accuracy"])
    generator = ImageDataGenerator(
        rotation_range=recipe.rotation,
        width_shift_range=recipe.shift,
        height_shift_range=recipe.shift,
        horizontal_flip=recipe.flip,
    )
    flow = generator.flow(x, labels[:, None], batch_size=recipe.batch_size)
    for epoch in range(1, phase.n_epochs + 1):
        model.fit(flow, epochs=1, verbose=0)
        logits = model.predict(test_x, batch_size=1000, verbose=0)
        report(epoch, float((logits.argmax(1) == test_labels).mean()), args)


def sklearn_rows(images):
    "Bytes (n, 3, 32, 32) as scikit-learn takes pictures: floats from 0 to 1, (n, 3072)."
    return images.flatten(1).numpy().astype("float32") / 255


def sklearn(recipe, args):
    "scikit-learn's MLPClassifier: the recipe's sizes and batches, the rest by its defaults."
    from sklearn.neural_network import MLPClassifier

    from cifar_course.data.sources import load_data

    data = load_data(args.data)
    x = sklearn_rows(data.train_images)
    mean, std = x.mean(), x.std()
    test_x = (sklearn_rows(data.test_images) - mean) / std
    model = MLPClassifier(recipe.hidden_sizes, batch_size=recipe.batch_size, random_state=0)
    for epoch in range(1, 1000):
        classes = range(10) if epoch == 1 else None      # it asks for them once
        model.partial_fit((x - mean) / std, data.train_labels.numpy(), classes=classes)
        report(epoch, float(model.score(test_x, data.test_labels.numpy())), args)


CONTENDERS = {
    "ours": ours,
    "DataLoader": dataloader,
    "Keras": keras,
    "MLPClassifier": sklearn,
}


def main():
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n")[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("name", choices=CONTENDERS)
    parser.add_argument("--recipe", default="fast", help="a recipe of an MLP with one phase")
    parser.add_argument("--data", default="cifar10", choices=("cifar10", "standin"),
                        help="on disk already, or drawn")
    parser.add_argument("--until", type=float, default=2., metavar="ACCURACY",
                        help="stop when this share of the test pictures is classified; "
                             "above 1: never")
    parser.add_argument("--limit", type=float, default=600, metavar="SECONDS",
                        help="stop after the epoch in which so many seconds have passed")
    args = parser.parse_args()
    # the peers' own, about the number of workers and about what is deprecated
    warnings.filterwarnings("ignore")
    from cifar_course.core import choose
    from cifar_course.lab.catalogue import RECIPES

    recipe = choose("recipe", args.recipe, RECIPES)
    CONTENDERS[args.name](recipe, args)


if __name__ == "__main__":
    main()
