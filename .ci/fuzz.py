"""Hostile files and arguments: each is taken, or refused in one line. The seed is fixed.

    python .ci/fuzz.py [TARGET ...]

Hypothesis makes the examples from files as the course writes them, changed in a few places.
Every target runs in a child of its own with bounded memory, so that a crash or a hang names its
example. Time bounds what is tried: a slow machine tries less, in the same order. Prints each
fault with the smallest example found, then one line, and fails if there is one."""
import contextlib
import gzip
import io
import json
import os
import pickle
import pickletools
import shutil
import signal
import sys
import tarfile
import tempfile
import time
import zipfile
from functools import cache, lru_cache
from pathlib import Path

import numpy as np
import torch
from hypothesis import strategies as st
from PIL import Image
from spoil import (
    Broken,
    changes_of,
    check_message,
    damages,
    edited,
    edits,
    flips,
    in_child,
    odd_values,
    places,
    refusable,
    spoilt,
    with_changes,
)

import cifar_course.lab.compare
import cifar_course.report
from cifar_course.cli import main as command
from cifar_course.cli import parse_changes
from cifar_course.data import sources
from cifar_course.data.batches import MOST_SAID, N_PER_FILE, N_PIXELS, parse_batch
from cifar_course.data.cifar10 import BINARY_FILES, extract_archive
from cifar_course.data.standin import load_standin
from cifar_course.evaluation import Evaluation, confusion_matrix, reliability
from cifar_course.lab.catalogue import RECIPES
from cifar_course.lab.claim import RUN_FILES
from cifar_course.lab.files import read_checkpoint, read_history, read_metrics, read_run_recipe
from cifar_course.lab.recipe import Phase, Recipe, change_recipe, read_recipe
from cifar_course.lab.registries import check_recipe, new_loss
from cifar_course.lab.run import load_run, train_run
from cifar_course.losses import LOSSES
from cifar_course.mlp import accuracy
from cifar_course.preprocessing import Batches, channel_statistics, one_hot, split_indices
from cifar_course.studies.records import load_record, records_folder
from cifar_course.training import Callback, read_tensors, write_tensors

# ---- batch files

LABELS = [i % 10 for i in range(N_PER_FILE)]
ROWS = np.random.default_rng(0).integers(0, 256, (N_PER_FILE, 48), np.uint8).repeat(64, 1)
_values = (None, True, 10, -1, 2**80, float("nan"), "labels", "data", "O8", "\ud800", b"labels",
           "x" * 2_000, b"\xff" * 2_000, (N_PIXELS, N_PER_FILE), (2**62, 2**62), [3], {"a": 1})
SNIPPETS = [                                             # of a pickle
    *(pickle.dumps(value, 2)[2:-1] for value in _values),
    *(opcode.code.encode("latin-1") for opcode in pickletools.opcodes),
    b"cos\nsystem\n", b"cnumpy\nndarray\n", b"co\x1b\n[31m\n", b"\x8a\xff", b"(" * 200_000,
    b"r\xff\xff\xff\xff", b"T\xff\xff\xff\x7f", b"\x95" + b"\xff" * 8, b")" + b"\x85" * 200_000,
]
_puts = st.tuples(st.just("put"), places, st.sampled_from(SNIPPETS))
_styles = st.tuples(st.integers(2, 5), st.booleans(), st.booleans())


@lru_cache(4)                                            # 31 MB each
def good_batch(protocol, as_bytes, data_first):
    "A batch file as Python writes it."
    batch = {"labels": LABELS, "batch_label": "training batch 1 of 5", "data": ROWS}
    if as_bytes:
        batch = {key.encode(): value for key, value in batch.items()}
    if data_first:
        batch = dict(reversed(batch.items()))
    return pickle.dumps(batch, protocol)


def check_batch(example):
    "A changed batch file is read or refused; an unchanged one is read, to its own pixels."
    style, changes = example
    read = refusable(parse_batch, edited(good_batch(*style), changes), most=MOST_SAID)
    if read is not None and (len(read[0]) != N_PER_FILE or not 0 <= read[1].max() <= 9):
        raise Broken(f"it gave images {read[0].shape} and labels up to {read[1].max()}")
    if not changes:
        same = read[0].numpy().tobytes() == ROWS.tobytes() and read[1].tolist() == LABELS
        if not same:
            raise Broken("a good batch file gave other pictures or labels")


def fuzz_batches(trial, folder):
    "Batch files as Python writes them, changed."
    good = [((protocol, protocol % 2 == 0, False), []) for protocol in (2, 3, 4, 5)]
    changes = st.lists(st.one_of(_puts, edits), min_size=1, max_size=3)
    trial.run(check_batch, st.tuples(_styles, changes), fixed=good)


# ---- archives

CONTENTS = {
    "a batch": (b"\0" + bytes(range(256)) * (N_PIXELS // 256)) * N_PER_FILE,
    "a large file": bytes(70_000_000),
    "a huge size": b"35 size=99999999999999999999999999\n",
    "another path": b"22 path=../../victim\n\n",
    "nothing": b"",
}
TYPES = [tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE,
         tarfile.GNUTYPE_SPARSE, tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE, b"Z"]
# members: name, type, key of CONTENTS, size in the header (None: the truth)
WHOLE = tuple((f"cifar-10-batches-bin/{name}", tarfile.REGTYPE, "a batch", None)
              for name in BINARY_FILES)
_names = st.sampled_from([
    *(name for name, *_ in WHOLE), "data_batch_1", "./test_batch", "a/b/c/test_batch.bin", "",
    "../victim", "/victim", "a/../../victim", "._x", ".", "..", "/", "C:\\x", "two\nlines",
    "\x1b[31mred", "é" * 300, "x" * 60_000,
])
_sizes = st.sampled_from([None, None, None, 0, 512, 10**6, 2**33 - 1, 2**40])
_contents = st.sampled_from(["nothing", "a huge size", "another path"])
_member = st.tuples(_names, st.sampled_from(TYPES), _contents, _sizes)
_packed = st.sampled_from(["tar.gz", "zip"])
_packings = st.one_of(st.just("tar"), _packed)
archives = st.one_of(                                    # packing, members, edits
    st.tuples(_packings, st.lists(_member, max_size=3).map(tuple), st.lists(edits, max_size=2)),
    st.tuples(_packed, st.just(WHOLE), st.lists(edits, min_size=1, max_size=1)),
)


@cache
def archive_bytes(packing, members):
    "The bytes of an archive, whatever its headers say."
    buffer = io.BytesIO()
    if packing == "zip":
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as file:
            for name, kind, content, _ in members:
                info = zipfile.ZipInfo(name)
                info.external_attr = 0o120777 << 16 if kind == tarfile.SYMTYPE else 0
                file.writestr(info, CONTENTS[content], zipfile.ZIP_DEFLATED)
        return buffer.getvalue()
    for name, kind, content, size in members:
        info = tarfile.TarInfo(name)
        info.type, info.linkname = kind, "../victim"
        info.size = len(CONTENTS[content]) if size is None else size
        buffer.write(info.tobuf(tarfile.GNU_FORMAT, "utf-8", "surrogateescape"))
        buffer.write(CONTENTS[content] + bytes(-len(CONTENTS[content]) % 512))
    raw = buffer.getvalue() + bytes(1024)
    return gzip.compress(raw, 1) if packing == "tar.gz" else raw


def fuzz_archives(trial, folder):
    "Archives: into their folder, with the pixels that were packed, or refused without a trace."
    ground = folder / "ground"

    def check(example):
        packing, members, changes = example
        shutil.rmtree(ground, ignore_errors=True)
        (ground / "data").mkdir(parents=True)
        (ground / "victim").write_text("untouched")
        path = ground / "an-archive"
        path.write_bytes(edited(archive_bytes(packing, members), changes))
        before = set(ground.rglob("*"))
        says = {"names": [path.name], "most": MOST_SAID}
        unpacked = refusable(extract_archive, path, ground / "data", **says)
        new = set(ground.rglob("*")) - before
        if (ground / "victim").read_text() != "untouched" or not path.exists():
            raise Broken("it touched a file of the user")
        if unpacked is None and new:
            raise Broken(f"refused, but it left {new}")
        for file in new - {unpacked}:
            if file.parent != unpacked or file.read_bytes() != CONTENTS["a batch"]:
                raise Broken(f"{file} has other pictures, or lies elsewhere")

    bomb = (("data_batch_1", tarfile.REGTYPE, "a large file", None),)
    half = (*WHOLE[:3], ("../victim", tarfile.REGTYPE, "another path", None))
    fixed = []
    for members in (WHOLE, bomb, half):
        fixed += [(packing, members, []) for packing in ("tar.gz", "zip")]
    trial.run(check, archives, fixed=fixed)


# ---- run folders

TENSORS = {
    "tensor: nan": torch.full((8,), float("nan")),
    "tensor: ()": torch.tensor(1.),
    "tensor: (3,) of 0": torch.zeros(3),
    "tensor: (8, 3072) int64": torch.ones(8, 3072, dtype=torch.int64),
    "tensor: (8, 3072) float16": torch.ones(8, 3072, dtype=torch.float16),
    "tensor: uint8": torch.ones(5056, dtype=torch.uint8),
    "tensor: sparse": torch.eye(8).to_sparse(),
    "tensor: expanded": torch.ones(1).expand(2**20, 2**20),
    "tensor: shape only": torch.ones(3, device="meta"),
}
COMMANDS = {                                             # file: the commands that read it
    "model.pt": ("predict a-run picture.png --json", "evaluate a-run"),
    "metrics.json": ("evaluate a-run", "report a-run", "runs --folder .",
                     "runs a-run another-run --json", "runs --remove a-run"),
    "history.csv": ("report a-run", "runs a-run another-run"),
    "recipe.json": ("report a-run", "runs a-run another-run", "recipes a-run mlp --json",
                    "train --recipe a-run --epochs 1 --out a-third-run --quiet"),
    "checkpoint.pt": ("train --resume a-run --quiet",),
    "run.json": ("train --resume a-run --quiet",),
}
DATA = load_standin(200, 50)
PHASE = Phase(n_epochs=2, optimizer="adamw", lr=8e-3, schedule="one_cycle")
RECIPE = Recipe(name="tiny", hidden_sizes=(8,), batch_size=64, flip=True, views=1,
                early_stopping=9, phases=(PHASE,))


class Stop(Callback):
    "Interrupts a run after its first epoch, when its checkpoint is written."
    order = 200

    def after_epoch(self, learner):
        "As Ctrl-C does."
        raise KeyboardInterrupt


def _saved(value):
    "A value in a file of PyTorch's, without a checksum."
    buffer = io.BytesIO()
    torch.save(value, buffer)
    return buffer.getvalue()


class Runs:
    "A finished run and one that can be resumed; their damaged copies, and damage to them."
    def __init__(self, folder):
        short = change_recipe(RECIPE, {"phases.0.n_epochs": 1})
        train_run(short, DATA, folder / "finished", progress=False, device="cpu")
        with contextlib.suppress(KeyboardInterrupt):
            train_run(RECIPE, DATA, folder / "unfinished", progress=False, device="cpu",
                      callbacks=(Stop(),))
        shutil.copytree(folder / "finished", folder / "another-run")
        self.folder, self.run = folder, folder / "a-run"
        self.names = (*RUN_FILES, self.run.name)
        self.states = {name: read_tensors(folder / "unfinished" / name)
                       for name in ("model.pt", "checkpoint.pt")}
        self.others = {"nothing": b"", "a call": pickle.dumps(os.system), "a list": _saved([1]),
                       "a program": _saved(os.system), "a zip": archive_bytes("zip", ())}

    def damage(self, file, kind, what):
        "A damaged copy stands in `self.run`."
        run = "unfinished" if file in ("checkpoint.pt", "run.json") else "finished"
        shutil.rmtree(self.run, ignore_errors=True)
        shutil.copytree(self.folder / run, self.run)
        if file == "run.json":                           # it is read where there is no other
            (self.run / "checkpoint.pt").unlink()
        path = self.run / file
        if kind == "file":
            path.write_bytes(self.others[what])
        elif kind == "values" and file in self.states:
            changes = [(place, _forged(value)) for place, value in what]
            write_tensors(path, with_changes(self.states[file], changes))
        else:
            path.write_bytes(spoilt(file, path.read_bytes(), kind, what))

    def damages(self, file):
        "(file, kind, what) of damage to one of the files."
        if file not in self.states:
            run = "unfinished" if file == "run.json" else "finished"
            return damages(file, (self.folder / run / file).read_bytes())
        values = st.one_of(odd_values, st.sampled_from(list(TENSORS)))
        kinds = {"bytes": st.lists(flips, min_size=1, max_size=1),
                 "values": changes_of(self.states[file], values),
                 "file": st.sampled_from(list(self.others))}
        return st.one_of([st.tuples(st.just(file), st.just(kind), what)
                          for kind, what in kinds.items()])


def _forged(value):
    "What an odd value stands for in a file of tensors."
    return TENSORS.get(value, value) if isinstance(value, str) else value


def _undrawn(ax, alt, caption, kind="svg"):
    "A figure for a page, without its picture."
    cifar_course.lab.compare.plt.close(ax.figure)
    return {"src": "", "alt": alt, "caption": caption}


def run_command(words, names):
    "Run a command; `Broken` where it ends in another way than by its work or one line."
    out, err = io.StringIO(), io.StringIO()
    signal.setitimer(signal.ITIMER_PROF, 3)              # a training may be long
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            status = command(words.split())
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    said = err.getvalue()
    if "Traceback" in said or status not in (0, 1, 130):
        raise Broken(f"the status {status}: {said[-400:]}")
    if status == 1:
        start, colon, message = said.splitlines()[-1].partition("cifar-course: ")
        if start or not colon:
            raise Broken(f"no line of its own at the end: {said[-400:]!r}")
        check_message(message, names)


def read_all(run, damage, names):
    "Each file of a run, read by its own function; `Broken` where a flipped bit is overlooked."
    file, kind, _ = damage
    calls = [(read_metrics, run), (read_history, run / "history.csv"), (read_run_recipe, run)]
    for call, path in calls:
        refusable(call, path, names=names)
    for call, owner in ((load_run, "model.pt"), (read_checkpoint, "checkpoint.pt")):
        read = refusable(call, run, names=names)
        if read is not None and (file, kind) == (owner, "bytes"):
            raise Broken(f"a flipped bit in {file} was not noticed")


def fuzz_runs(trial, folder):
    "A damaged run: its readers, and the program's commands."
    runs = Runs(folder)
    os.chdir(folder)
    Image.new("RGB", (24, 20)).save("picture.png")
    sources.load_standin = lambda: DATA
    cifar_course.report.embed = cifar_course.lab.compare.embed = _undrawn
    signal.signal(signal.SIGPROF, signal.default_int_handler)

    def check(example):
        words, damage = example
        runs.damage(*damage)
        read_all(runs.run, damage, runs.names)
        shutil.rmtree("a-third-run", ignore_errors=True)
        run_command(words, runs.names)

    kinds = []
    for file, commands in COMMANDS.items():
        kinds.append(st.tuples(st.sampled_from(commands), runs.damages(file)))
    trial.run(check, st.one_of(kinds))


# ---- records, recipes, and what is written after --set

def fuzz_records(trial, folder):
    "Records."
    raws = {name: (records_folder() / f"{name}.json").read_bytes()
            for name in ("mlp", "dropout", "lab1")}

    def check(damage):
        file, *what = damage
        name = file.removesuffix(".json")
        (folder / file).write_bytes(spoilt(file, raws[name], *what))
        refusable(load_record, name, folder, names=[file])

    trial.run(check, st.one_of([damages(f"{name}.json", raw) for name, raw in raws.items()]))


def fuzz_recipes(trial, folder):
    "Recipes in files, of today and of the older format."
    old_phase = {"n_epochs": 3, "loss": "cross_entropy", "optimizer": "rmsprop", "lr": .01,
                 "label_smoothing": .1, "momentum": .9, "schedule": "plateau"}
    plain = {name: RECIPES[name].model_dump(mode="json") for name in ("mlp", "lab1", "cnn")}
    plain["old"] = {"name": "old", "standardise": True, "phases": [old_phase]}
    raws = {f"{name}.json": json.dumps(recipe).encode() for name, recipe in plain.items()}

    def check(damage):
        file, *what = damage
        (folder / file).write_bytes(spoilt(file, raws[file], *what))
        recipe = refusable(read_recipe, folder / file, names=[file])
        if recipe is not None:
            refusable(check_recipe, recipe)
            if Recipe(**recipe.model_dump(mode="json")) != recipe:
                raise Broken("another recipe after it was written down")

    trial.run(check, st.one_of([damages(file, raw) for file, raw in raws.items()]))


def fuzz_settings(trial, folder):
    "What is written after --set."
    fields = st.sampled_from([
        *Recipe.model_fields, *(f"phases.0.{name}" for name in Phase.model_fields), "phases.0",
        "phases.0.optimizer_settings.betas", "phases.0.loss_settings.label_smoothing",
        "phases.0.loss_settings.weights", "phases.0.schedule_settings.rise", "phases.9.lr",
        "phases.-1.lr", "phases.٣.lr", "name.x", "", ".", "..", "\ud800", "\0", "x\ny",
    ])
    texts = st.sampled_from([
        "", "true", "none", "[8]", "(8, 8)", "[[8]]", "{}", "{1}", "{[]: 1}", "{{}}", "b'x'",
        "1j", "1e999", "[1e999]", "9" * 5_000, "0x10", "'\\ud800'", "\0", "\x1b[31m", "a\nb",
        "[" * 900, "-" * 900 + "1", "...", "sgd", "adam", "plateau", "one_cycle", "step",
        "focal", "['relu']", "[.9, 2]", "[.9]", "[]", "'9'", "65537", ".5", "-1",
    ])
    one = st.one_of(st.builds("{}={}".format, fields, texts), st.text(max_size=12))

    def check(lines):
        changes = refusable(parse_changes, lines)
        if changes is not None:
            recipe = refusable(change_recipe, RECIPES["mlp"], changes)
            if recipe is not None:
                refusable(check_recipe, recipe)

    trial.run(check, st.lists(one, min_size=1, max_size=3))


# ---- the functions' doors

_shapes = st.lists(st.sampled_from([0, 1, 2, 3, 4, 10]), max_size=4).map(tuple)
_fills = ["counting", "counting", "zeros", "minus one", "nan", "shares", "300"]
_types = ["uint8", "int8", "int64", "uint16", "float16", "float32", "float64", "bool",
          "complex64", ">i4", "U2", "M8[s]", "O"]
_forms = ["tensor", "array", "list", "backwards"]
_numbers = st.tuples(*map(st.sampled_from, (_forms, _types)), _shapes, st.sampled_from(_fills))
_things = st.sampled_from([
    None, True, 0, 1, 3, 10, -1, 300, .5, -.5, 2.5, float("nan"), float("inf"), "", "3", "last",
    "two\nlines", [], [[]], [1, [2]], {}, {3}, [None], ["a"], b"x", 1j, 2**70, 10**400, object,
    np.int64(3), np.float32(.5), np.array(2), torch.tensor(2**64 - 1, dtype=torch.uint64),
])
_any = st.one_of(_numbers, _things)
_size = st.one_of(st.integers(1, 12), _any)


def _likely(fill, *shape):
    "Mostly numbers that fit, of any type."
    forms, types = st.sampled_from(_forms), st.sampled_from(["uint8", "int64", "float32"])
    return st.one_of(st.tuples(forms, types, st.just(shape), st.just(fill)), _any)


def made(example):
    "What (form, type, shape, fill) stands for; any other thing as it is."
    if not isinstance(example, tuple) or len(example) != 4:
        return example
    form, dtype, shape, fill = example
    n = int(np.prod(shape))
    filled = {"counting": np.arange(n) % 10, "shares": np.linspace(0, 1, n)}.get(fill)
    if filled is None:
        filled = np.full(n, {"zeros": 0, "minus one": -1, "nan": np.nan, "300": 300}[fill])
    filled = filled.astype("i8") if dtype == "M8[s]" else filled
    array = filled.reshape(shape).astype(dtype)
    if form == "tensor" and array.dtype.kind in "buifc" and dtype != ">i4":
        return torch.from_numpy(array)
    if form == "backwards" and array.ndim:
        return array[::-1]
    return array.tolist() if form == "list" else array


def judged(logits, labels):
    "All that an evaluation knows."
    evaluation = Evaluation(logits, labels)
    return evaluation.metrics(), evaluation.mean_confidence(), evaluation.most_confident(True)


def batches_seen(*arguments):
    "All batches of one pass."
    return list(Batches(*arguments))


_images, _labels = _likely("counting", 4, 3, 4, 4), _likely("counting", 4)
_logits = _likely("shares", 4, 10)
DOORS = {
    "Batches": (batches_seen, _images, _labels, _size),
    "one_hot": (one_hot, _labels, _size),
    "confusion_matrix": (confusion_matrix, _labels, _labels, _size),
    "Evaluation": (judged, _logits, _labels),
    "accuracy": (accuracy, _logits, _labels),
    "split_indices": (split_indices, _likely("zeros", 10), st.one_of(st.just(.5), _any),
                      st.sampled_from(["stratified", "random", "last", "first"]), _size),
    "channel_statistics": (channel_statistics, _images),
    "reliability": (reliability, _likely("shares", 4), _likely("zeros", 4), _size),
    **{f"the loss {name}": (new_loss(name), _logits, _labels) for name in LOSSES},
}


def fuzz_doors(trial, folder):
    "What people hand to functions."
    def check(example):
        name, *arguments = example
        refusable(DOORS[name][0], *map(made, arguments))

    doors = [st.tuples(st.just(name), *kinds) for name, (_, *kinds) in DOORS.items()]
    trial.run(check, st.one_of(doors))


# ---- all of them

MOST_SECONDS = 60                                        # for all targets
TARGETS = {                                              # name: (function, seconds)
    "runs": (fuzz_runs, 16),
    "batches": (fuzz_batches, 6),
    "archives": (fuzz_archives, 7),
    "doors": (fuzz_doors, 6),
    "recipes": (fuzz_recipes, 4),
    "settings": (fuzz_settings, 3),
    "records": (fuzz_records, 3),
}


def main():
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)                       # as training does; Hypothesis asks
    check_recipe(RECIPE)                                 # loads what PyTorch loads late
    start = time.monotonic()
    names = sys.argv[1:] or list(TARGETS)
    place = "/dev/shm" if os.path.isdir("/dev/shm") else None        # in memory
    failed = []
    with tempfile.TemporaryDirectory(dir=place) as folder:
        for name in names:
            function, seconds = TARGETS[name]
            left = start + MOST_SECONDS - time.monotonic()           # a slow machine tries less
            if not in_child(name, function, min(seconds, left), Path(folder) / name):
                failed.append(name)
    print(f"{time.monotonic() - start:.0f} s, failed: {', '.join(failed) or 'none'}")
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
