"""Hostile files and arguments: each is taken, or refused in one line. The seed is fixed.

    python .ci/fuzz.py [TARGET ...]

Hypothesis makes the examples, from files and recipes as the course writes them, changed in one
or a few places. Every target runs in a child of its own with bounded memory, so that a crash or
a hang names the example it came from. Time bounds what is tried: on a slow machine the same
examples come, but fewer. Prints each fault with the smallest example found, then one line, and
fails if there is a fault."""
import contextlib
import gzip
import io
import json
import os
import pickle
import pickletools
import resource
import shutil
import signal
import struct
import sys
import tarfile
import tempfile
import time
import traceback
import warnings
import zipfile
import zlib
from dataclasses import dataclass
from enum import Enum
from functools import cache, partial
from pathlib import Path

import numpy as np
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

import cifar_course.lab.compare
import cifar_course.report
from cifar_course.cli import main as command
from cifar_course.cli import parse_changes
from cifar_course.data import sources
from cifar_course.data.batches import MOST_SAID, N_PER_FILE, N_PIXELS, STEPS, parse_batch
from cifar_course.data.cifar10 import BINARY_FILES, extract_archive, is_complete
from cifar_course.data.dataset import DataError
from cifar_course.data.pictures import read_picture
from cifar_course.data.standin import load_standin
from cifar_course.evaluation import Evaluation, confusion_matrix, reliability
from cifar_course.lab.catalogue import RECIPES
from cifar_course.lab.claim import RUN_FILES
from cifar_course.lab.compare import (
    different_settings,
    list_runs,
    results_table,
    write_comparison,
)
from cifar_course.lab.files import (
    read_checkpoint,
    read_history,
    read_metrics,
    read_run_recipe,
)
from cifar_course.lab.page import write_report
from cifar_course.lab.recipe import (
    Phase,
    Recipe,
    change_recipe,
    flatten_recipe,
    read_recipe,
    recipe_from_dict,
)
from cifar_course.lab.registries import check_recipe
from cifar_course.lab.run import load_run, train_run
from cifar_course.losses import LOSSES
from cifar_course.preprocessing import (
    Batches,
    channel_statistics,
    one_hot,
    split_indices,
)
from cifar_course.studies.records import load_record, records_folder
from cifar_course.training import Callback, read_tensors, write_tensors

ROOT = Path(__file__).parent.parent
AT_ONCE = 2                                              # targets, one a core
MOST_MEMORY = 700_000_000                                # bytes, beyond what we start with
MOST_SECONDS = 2                                         # of the processor, for one call
SHRINKING = 5                                            # seconds more, where there is a fault
PATIENCE = 30                                            # seconds more until we call it a hang


# ---- trying

class TimeIsUp(BaseException):
    "The target's time is used up. Hypothesis lets it pass, for it is no Exception."


class Broken(AssertionError):
    "A promise that was not kept."


def where_raised(error):
    "The innermost line of the course that an error came from, else of this script."
    frames = traceback.extract_tb((error.__cause__ or error).__traceback__)
    ours = [frame for frame in frames if "/cifar_course/" in frame.filename]
    frame = (ours or frames)[-1]
    return f"{os.path.relpath(frame.filename, ROOT)}:{frame.lineno}"


class Trial:
    "Tries a check on examples until the time is up; keeps the smallest that break it."
    def __init__(
        self,
        folder,                                          # for its files
        seconds,
    ):
        self.end = time.monotonic() + seconds
        self.n = 0                                       # examples tried
        self.faults = {}                                 # (kind, place): (message, example)
        self.last = open(folder / "last", "w", encoding="utf-8", errors="backslashreplace")

    def attempt(self, check, example):
        "Run the check on one example, which stands in a file in case we do not survive."
        if time.monotonic() > self.end:
            raise TimeIsUp
        self.n += 1
        self.last.seek(0)
        self.last.truncate()
        self.last.write(repr(example)[:2000])
        self.last.flush()
        try:
            check(example)
        except Exception as error:
            self.keep(error, example)
            raise

    def keep(self, error, example):
        "Remember the example if it is the first or the smallest of its fault."
        if not self.faults:
            self.end = max(self.end, time.monotonic() + SHRINKING)
        fault = type(error).__name__, where_raised(error)
        known = self.faults.get(fault)
        if known is None or len(repr(example)) < len(known[1]):
            self.faults[fault] = str(error)[:400], repr(example)
        traceback.clear_frames(error.__traceback__)      # they hold the files

    def run(
        self,
        check,                                           # of an example; breaks by an error
        strategy,                                        # that makes examples
        fixed=(),                                        # examples that come first
        most=3000,                                       # examples
    ):
        "Try all that time allows."
        @settings(
            max_examples=most,
            derandomize=True,
            database=None,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        )
        @given(strategy)
        def tried(example):
            self.attempt(check, example)

        try:
            for example in fixed:
                with contextlib.suppress(Exception):     # it is kept
                    self.attempt(check, example)
            tried()
        except TimeIsUp:
            pass
        except Exception:
            if not self.faults:                          # it is Hypothesis' own
                raise

    def tell(self, name):
        "Print the faults; were there any?"
        for (kind, place), (message, example) in self.faults.items():
            print(f"{name}: {place} {kind}: {message}\n    {example[:1500]}")
        return bool(self.faults)


def check_message(
    error,
    most=MOST_SAID,                                      # characters; None: any number
    names=(),                                            # one of which must be in it
    printable=True,                                      # may it hold no control characters?
):
    "`Broken` unless the error says in one line what is wrong."
    message = str(error)
    if len(message.splitlines()) != 1:
        raise Broken(f"not one line: {message!r}") from error
    if printable and not message.isprintable():
        raise Broken(f"control characters: {message!r}") from error
    if most and len(message) > most:
        raise Broken(f"{len(message)} characters: {message!r}") from error
    if names and not any(name in message for name in names):
        raise Broken(f"does not name the file: {message!r}") from error


def refusable(
    call,
    *arguments,
    errors=(ValueError, DataError),                      # these, and none of their kinds
    seconds=MOST_SECONDS,                                # None: as long as it likes
    **about_the_message,                                 # as `check_message` takes it
):
    "What a call gives, None where it refuses; every other way to end is passed on."
    start = time.process_time()
    result = None
    try:
        result = call(*arguments)
    except Exception as error:
        if type(error) not in errors:
            raise
        if isinstance(error.__cause__, MemoryError):
            raise Broken("it took too much memory") from error.__cause__
        check_message(error, **about_the_message)
    took = time.process_time() - start
    if seconds is not None and took > seconds:
        raise Broken(f"{call.__name__} took {took:.1f} s")
    return result


# ---- changing bytes, and trees of values

_place = st.one_of(
    st.integers(0, 300),
    st.integers(-300, -1),
    st.integers(0, 2**31),
)
flips = st.tuples(st.just("flip"), _place, st.integers(0, 7))
edits = st.one_of(
    flips,
    st.tuples(st.just("cut"), _place, st.none()),
    st.tuples(st.just("drop"), _place, st.integers(1, 40)),
    st.tuples(st.just("put"), _place, st.binary(min_size=1, max_size=8)),
)
some_edits = st.lists(edits, min_size=1, max_size=3)


def edited(raw, changes):
    "Bytes with a few edits; a place beyond the end is counted from the start again."
    raw = bytearray(raw)
    for what, place, detail in changes:
        if not raw:
            break
        at = place % len(raw)
        if what == "flip":
            raw[at] ^= 1 << detail
        elif what == "cut":
            del raw[at:]
        elif what == "drop":
            del raw[at:at + detail]
        else:
            raw[at:at] = detail
    return bytes(raw)


class Odd(Enum):
    "What stands for something that cannot be drawn as a plain value."
    MISSING = "the key is taken away"
    DEEP = "lists in lists"


def paths_in(tree, above=()):
    "The places in nested dictionaries and lists; of a list, the first and the last."
    found = []
    keys = ()
    if isinstance(tree, dict):
        keys = tree.keys()
    elif isinstance(tree, (list, tuple)) and tree:
        keys = sorted({0, len(tree) - 1})
    for key in keys:
        found.append((*above, key))
        found += paths_in(tree[key], (*above, key))
    return found


def changed(tree, path, value):
    "A copy of the tree with another value at the path, or without what is there."
    if not path:
        return value
    first, *rest = path
    copy = dict(tree) if isinstance(tree, dict) else list(tree)
    if value is Odd.MISSING and not rest:
        del copy[first]
    else:
        copy[first] = changed(copy[first], rest, value)
    return tuple(copy) if isinstance(tree, tuple) else copy


def with_changes(tree, changes):
    "A copy of the tree with all changes, but for those whose place an earlier one took away."
    for path, value in changes:
        with contextlib.suppress(KeyError, IndexError, TypeError):
            tree = changed(tree, path, value)
    return tree


# No free text: a name of a folder, such as /, would be read for its pictures.
_whole_numbers = [0, 1, 2, 3, 7, 10, 50, -1, 2**31, 2**63 - 1, 2**63, 10**400]
_fractions = [0., 1., .5, 1e-320, -0., -.5, 1.5, 1e308, float("nan"), float("inf")]
_texts = ["", "1", "nan", "no such name", "two\nlines", "\x1b[31mred", "\u2028", "\ud800", "\0",
          "$(x)", "$x^$", "<b>", "{{ 7 * 7 }}", "é" * 5_000]
_lists = [[], [[]], [None], [1, 2], [.5] * 10, ["relu"], ["same", "same"], [[0, 1], [1]]]
_others = [None, True, False, {}, {"": 0}, {"mean": None}, Odd.MISSING, Odd.DEEP]
odd_values = st.sampled_from([*_others, *_whole_numbers, *_fractions, *_texts, *_lists])
_ALIKE = {int: _whole_numbers, float: _fractions, str: _texts, list: _lists, tuple: _lists}


def value_at(tree, path):
    "What stands at a path."
    for key in path:
        tree = tree[key]
    return tree


def changes_of(tree, values=odd_values):
    "A strategy for one to three changes of a tree, half of them of the same kind."
    kinds = []
    for path in paths_in(tree):
        alike = _ALIKE.get(type(value_at(tree, path)), _others)
        value = st.one_of(st.sampled_from(alike), values)
        kinds.append(st.tuples(st.just(path), value))
    return st.lists(st.one_of(kinds), min_size=1, max_size=3)


def json_bytes(tree):
    "The tree as JSON, with what JSON's own writer refuses."
    def written(value):
        return "\0deep" if value is Odd.DEEP else "\0missing"
    text = json.dumps(tree, default=written)
    deep = "[" * 20_000 + "]" * 20_000
    return text.replace('"\\u0000deep"', deep).encode()


@dataclass(frozen=True)
class Damage:
    "What is done to a file."
    file: str
    kind: str                                            # values, bytes, or another file
    what: object


def damages(file, kind, what):
    "A strategy for damage of one kind."
    return st.builds(Damage, st.just(file), st.just(kind), what)


def spoilt(raw, damage):
    "The bytes of a file after damage to its bytes, its JSON or its CSV."
    if damage.kind == "bytes":
        return edited(raw, damage.what)
    if damage.file.endswith(".json"):
        return json_bytes(with_changes(json.loads(raw), damage.what))
    rows = [line.split(",") for line in raw.decode().splitlines()]
    rows = with_changes(rows, damage.what)
    return "\n".join(",".join(row) for row in rows).encode("utf-8", "surrogatepass")


# ---- batch files

CODES = {opcode.name: opcode.code.encode("latin-1") for opcode in pickletools.opcodes}
LENGTHS = {                                              # bytes that say how many follow
    "SHORT_BINUNICODE": 1, "SHORT_BINSTRING": 1, "SHORT_BINBYTES": 1, "LONG1": 1,
    "BINUNICODE": 4, "BINSTRING": 4, "BINBYTES": 4, "LONG4": 4,
    "BINUNICODE8": 8, "BINBYTES8": 8, "BYTEARRAY8": 8,
}
NUMBERS = {"BININT1": 1, "BININT2": 2, "BININT": 4}      # bytes of each
MINUS_ONE = b"\xff" * 4                                  # as a BININT, the one with a sign
TEXTS = ("SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8")
MEMOS = ("BINPUT", "LONG_BINPUT", "MEMOIZE")
PYTHON_2 = {                                             # it has no other texts than bytes
    "BINUNICODE": "SHORT_BINSTRING",
    "SHORT_BINBYTES": "SHORT_BINSTRING",
    "BINBYTES": "BINSTRING",
}
LABELS = [i % 10 for i in range(N_PER_FILE)]


@dataclass(frozen=True)
class Batch:
    "A batch file as some pickler writes it, with changes."
    protocol: int
    first: str                                           # of its keys: data or labels
    python_2: bool                                       # only of protocol 3
    old_numpy: bool                                      # before 2.0
    number: str                                          # opcodes
    text: str
    memo: str
    splices: list                                        # (place, how many to drop, steps)
    edits: list                                          # of its bytes


@dataclass(frozen=True)
class Stream:
    "A pickle of (opcode, argument, how many times), with edits of its bytes."
    protocol: int
    steps: list
    edits: list


@cache
def pixel_bytes():
    "The pixels of all our batch files."
    return np.random.default_rng(0).bytes(N_PER_FILE * N_PIXELS)


def steps_in(raw):
    "A pickle's (opcode, argument) one after the other, without the arguments' lengths."
    found = list(pickletools.genops(raw))
    ends = [at for _, _, at in found[1:]] + [len(raw)]
    steps = []
    for (opcode, _, at), end in zip(found, ends):
        start = at + 1 + LENGTHS.get(opcode.name, 0)
        if opcode.name != "FRAME":                       # it would not fit what we change
            steps.append((opcode.name, raw[start:end]))
    return steps


def step_bytes(name, argument):
    "One step of a pickle."
    n_bytes = LENGTHS.get(name, 0)
    length = len(argument).to_bytes(n_bytes, "little") if n_bytes else b""
    return CODES[name] + length + argument


@cache
def steps_of(protocol, first):
    "The steps of a good batch file as Python writes it."
    pixels = np.frombuffer(pixel_bytes(), np.uint8).reshape(N_PER_FILE, N_PIXELS)
    batch = {"batch_label": "training batch 1 of 5", "labels": LABELS, "data": pixels}
    if first == "data":
        batch = dict(reversed(batch.items()))
    return steps_in(pickle.dumps(batch, protocol))


def number_step(value, name):
    "A whole number from 0 up, by that opcode if it has room."
    if name == "LONG1":
        n_bytes = value.bit_length() // 8 + 1
        return name, value.to_bytes(n_bytes, "little")
    if value >= 256 ** NUMBERS[name]:
        name = "BININT"
    return name, value.to_bytes(NUMBERS[name], "little")


def restyled(batch):
    "The steps of a good batch file in the batch's own style."
    n_memo = 0
    for name, argument in steps_of(batch.protocol, batch.first):
        if batch.old_numpy and len(argument) < 100:
            argument = argument.replace(b"numpy._core", b"numpy.core")
        if name in NUMBERS and argument != MINUS_ONE:
            yield number_step(int.from_bytes(argument, "little"), batch.number)
        elif name in MEMOS:
            n_bytes = {"BINPUT": 1, "LONG_BINPUT": 4, "MEMOIZE": 0}[batch.memo]
            yield batch.memo, n_memo.to_bytes(4, "little")[:n_bytes]
            n_memo += 1
        elif batch.python_2 and batch.protocol == 3:
            yield PYTHON_2.get(name, name), argument
        elif name in TEXTS and len(argument) < 256:
            yield batch.text, argument
        else:
            yield name, argument


def batch_file(batch):
    "The bytes of a batch file."
    steps = list(restyled(batch))
    for place, n_dropped, new in batch.splices:
        at = place % len(steps)
        steps[at:at + n_dropped] = new
    raw = b"".join(step_bytes(name, argument) for name, argument in steps)
    return edited(raw, batch.edits) if batch.edits else raw


def stream_file(stream):
    "The bytes of a stream of opcodes."
    raw = b"\x80" + bytes([stream.protocol])
    for name, argument, times in stream.steps:
        raw += step_bytes(name, argument) * times
    return edited(raw + b".", stream.edits)


def _arguments(opcode):
    "A strategy for an opcode's argument."
    if opcode.arg is None:
        return st.just(b"")
    if opcode.name in LENGTHS:
        return st.sampled_from([b"", b"data", b"labels", b"u1", b"\xff", b"x" * 200])
    if opcode.arg.n > 0:
        n_bytes = opcode.arg.n
        known = [bytes(n_bytes), b"\xff" * n_bytes, (10_000).to_bytes(8, "little")[:n_bytes]]
        return st.one_of(st.sampled_from(known), st.binary(min_size=n_bytes, max_size=n_bytes))
    return st.sampled_from([b"numpy\nndarray\n", b"numpy\ndtype\n", b"os\nsystem\n",
                            b"o\x1b\n[31m\n", b"1\n", b"\xff\n\n", b"x"])


def _steps(names):
    "A strategy for a step with one of those opcodes."
    kinds = []
    for opcode in pickletools.opcodes:
        if opcode.name in names:
            kinds.append(st.tuples(st.just(opcode.name), _arguments(opcode)))
    return st.one_of(kinds)


def _repeated(step, times):
    "A step of a stream."
    return (*step, times)


_odd_in_batches = [
    None, True, 0, 1, 10, 2**31 - 1, -1, 2**80, 1.5, float("nan"), "", "labels", "data", "i1",
    "O8", "x" * 2_000, "\x1b[31m\nred", "\ud800", b"", b"labels", b"\xff" * 2_000, (), (3_072,),
    (N_PIXELS, N_PER_FILE), (-1, N_PIXELS), (2**62, 2**62), ((((),),),), [], [3], [[]], {},
    {"a": 1},
]
_odd_steps = [steps_in(pickle.dumps(value, 2))[1:-1] for value in _odd_in_batches]
_snippets = st.one_of(
    st.sampled_from(_odd_steps),
    st.lists(_steps(STEPS), max_size=3),
)
_places = st.one_of(st.integers(0, 60), st.integers(-60, -1), st.integers(0, 10_100))
_splices = st.lists(st.tuples(_places, st.integers(0, 3), _snippets), min_size=1, max_size=2)
_style = {
    "protocol": st.integers(2, 5),
    "first": st.sampled_from(["data", "labels"]),
    "python_2": st.booleans(),
    "old_numpy": st.booleans(),
    "number": st.sampled_from([*NUMBERS, "LONG1"]),
    "text": st.sampled_from(TEXTS),
    "memo": st.sampled_from(MEMOS),
}
batches = st.one_of(
    st.builds(Batch, **_style, splices=st.just([]), edits=st.just([])),
    st.builds(Batch, **_style, splices=_splices, edits=st.just([])),
    st.builds(Batch, **_style, splices=_splices, edits=st.just([])),
    st.builds(Batch, **_style, splices=st.just([]), edits=some_edits),
)
_times = st.sampled_from([1, 1, 1, 1, 2, 64, 1_000])
streams = st.builds(
    Stream,
    st.sampled_from([2, 3, 4, 5, 0, 6]),
    st.one_of(
        st.lists(st.builds(_repeated, _steps(STEPS), _times), max_size=9),
        st.lists(st.builds(_repeated, _steps(CODES), _times), max_size=5),
    ),
    st.one_of(st.just([]), some_edits),
)
_hostile_streams = [
    Stream(2, [("NONE", b"", 1), ("LONG_BINPUT", b"\x00\xc2\xeb\x0b", 1)], []),
    Stream(2, [("EMPTY_TUPLE", b"", 1), ("TUPLE1", b"", 200_000)], []),
    Stream(2, [("EMPTY_LIST", b"", 50_000), ("APPEND", b"", 49_999)], []),
    Stream(2, [("MARK", b"", 260_000)], []),
    Stream(4, [("FRAME", b"\xff" * 8, 1), ("BINBYTES8", b"", 1)], [("put", 12, b"\xff" * 7)]),
]


def check_stream(stream):
    "No stream is a batch file: it is refused."
    if refusable(parse_batch, stream_file(stream), errors=(DataError,)) is not None:
        raise Broken("it was read")


def check_batch(batch):
    "A batch file is read or refused; an unchanged one is read, to its own pixels."
    read = refusable(parse_batch, batch_file(batch), errors=(DataError,))
    is_good = not batch.splices and not batch.edits
    if read is None and is_good:
        raise Broken("a good batch file was refused")
    if read is None:
        return
    images, labels = read
    fits = images.shape == (N_PER_FILE, 3, 32, 32) and labels.shape == (N_PER_FILE,)
    if not fits or labels.min() < 0 or labels.max() > 9:
        raise Broken(f"it gave images {images.shape} and labels {labels.shape}")
    if is_good and (images.numpy().tobytes() != pixel_bytes() or labels.tolist() != LABELS):
        raise Broken("a good batch file gave other pictures or labels")


def fuzz_batches(trial, folder):
    "Batch files as picklers write them, changed."
    trial.run(check_batch, batches)


def fuzz_streams(trial, folder):
    "Streams of opcodes."
    trial.run(check_stream, streams, fixed=_hostile_streams, most=4000)


# ---- archives

GOOD_BATCH = bytes((1 + N_PIXELS) * N_PER_FILE)          # of plain bytes: black airplanes


@dataclass(frozen=True)
class Member:
    "What is in an archive."
    name: str
    kind: str                                            # a key of KINDS
    content: bytes | str                                 # a key of CONTENTS
    size: int | None = None                              # what the header says; None: the truth


@dataclass(frozen=True)
class Archive:
    "An archive of members, and edits of its bytes."
    packing: str                                         # tar, tar.gz or zip
    format: int                                          # of the tar
    members: list
    edits: list
    half_there: bool = False                             # has the folder one of the files?


KINDS = {
    "file": tarfile.REGTYPE, "folder": tarfile.DIRTYPE, "symlink": tarfile.SYMTYPE,
    "link": tarfile.LNKTYPE, "pipe": tarfile.FIFOTYPE, "device": tarfile.CHRTYPE,
    "sparse": tarfile.GNUTYPE_SPARSE, "long name": tarfile.GNUTYPE_LONGNAME,
    "header": tarfile.XHDTYPE, "global header": tarfile.XGLTYPE, "unknown": b"Z",
}
CONTENTS = {
    "a good batch": GOOD_BATCH,
    "a large file": bytes(70_000_000),
    "a huge size": b"35 size=99999999999999999999999999\n",
    "another path": b"22 path=../../victim\n\n",
}
_official = ["data_batch_1", "test_batch", "batches.meta", *BINARY_FILES]
_folders = ["", "./", "cifar-10-batches-bin/", "a/b/c/", "../", "/tmp/", "a/../../", ".//"]
_names = st.one_of(
    st.builds("{}{}".format, st.sampled_from(_folders), st.sampled_from(_official)),
    st.sampled_from(["../victim", "/victim", "._data_batch_1", ".DS_Store", "", ".", "..", "/",
                     "C:\\x", "two\nlines", "\x1b[31mred", "é" * 300, "\ud800", "x" * 60_000]),
)
_sizes = st.sampled_from([None, None, None, 0, 1, 512, 10**6, 2**33 - 1, 2**40])
_contents = st.one_of(
    st.sampled_from(["a huge size", "another path", b"", b"x" * 513]),
    st.binary(max_size=100),
)
_kinds = st.one_of(st.just("file"), st.sampled_from(list(KINDS)))
_member = st.builds(Member, _names, _kinds, _contents, _sizes)
archives = st.builds(
    Archive,
    packing=st.sampled_from(["tar", "tar.gz", "zip"]),
    format=st.sampled_from([tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]),
    members=st.lists(_member, max_size=3),
    edits=st.one_of(st.just([]), some_edits),
)
_good_members = [Member(f"cifar-10-batches-bin/{name}", "file", "a good batch")
                 for name in BINARY_FILES]
whole_archives = st.builds(
    Archive,
    packing=st.sampled_from(["tar.gz", "zip"]),
    format=st.just(tarfile.PAX_FORMAT),
    members=st.just(_good_members),
    edits=st.lists(edits, min_size=1, max_size=1),
    half_there=st.booleans(),
)


def content_of(member):
    "A member's bytes."
    if isinstance(member.content, str):
        return CONTENTS[member.content]
    return member.content


def tar_pieces(archive):
    "The headers and contents of a tar archive, one after the other."
    for member in archive.members:
        content = content_of(member)
        info = tarfile.TarInfo(member.name)
        info.type = KINDS[member.kind]
        info.linkname = "../victim" if "link" in member.kind else ""
        info.size = len(content) if member.size is None else member.size
        with contextlib.suppress(ValueError):            # USTAR has no room for it
            yield info.tobuf(archive.format, "utf-8", "surrogateescape")
            yield content + bytes(-len(content) % 512)
    yield bytes(1024)


@cache
def zipped(piece):
    "One piece of a tar.gz: gzip's pieces can stand one after the other."
    return gzip.compress(piece, 1)


def zip_bytes(archive):
    "A zip archive."
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as file:
        for member in archive.members:
            info = zipfile.ZipInfo(member.name)
            info.compress_type = zipfile.ZIP_DEFLATED
            if member.kind == "unknown":
                info.compress_type = zipfile.ZIP_BZIP2
            if "link" in member.kind:
                info.external_attr = 0o120777 << 16
            with contextlib.suppress(ValueError):        # a surrogate in its name
                file.writestr(info, content_of(member))
    return buffer.getvalue()


_whole = {}                                              # packing: bytes of the good archive


def archive_bytes(archive):
    "The bytes of an archive before they are edited; the good one is made once."
    if archive.members is _good_members and archive.packing in _whole:
        return _whole[archive.packing]
    if archive.packing == "zip":
        raw = zip_bytes(archive)
    elif archive.packing == "tar.gz":
        raw = b"".join(zipped(piece) for piece in tar_pieces(archive))
    else:
        raw = b"".join(tar_pieces(archive))
    if archive.members is _good_members:
        _whole[archive.packing] = raw
    return raw


def files_under(folder):
    "All that lies under a folder, and how large each file is."
    found = {}
    for path in folder.rglob("*"):
        size = 0 if path.is_dir() else path.lstat().st_size
        found[path.relative_to(folder)] = size
    return found


def check_archive(folder, archive):
    "An archive is unpacked into its folder, with good files, or refused without a trace."
    shutil.rmtree(folder / "ground", ignore_errors=True)
    root = folder / "ground" / "data"
    root.mkdir(parents=True)
    (folder / "ground" / "victim").write_text("untouched")
    path = folder / "ground" / "an-archive"
    path.write_bytes(edited(archive_bytes(archive), archive.edits))
    own = root / "cifar-10-batches-bin" / BINARY_FILES[2]
    if archive.half_there:
        own.parent.mkdir()
        own.write_text("the user's own")
    before = files_under(folder)
    unpacked = refusable(extract_archive, path, root, errors=(DataError,), names=[path.name])
    after = files_under(folder)
    if archive.half_there and own.read_text() != "the user's own":
        raise Broken("a file of the user was written over")
    if unpacked is None and before != after:
        raise Broken(f"refused, but it left {sorted(set(after) - set(before))}")
    if unpacked is not None:
        check_unpacked(folder, unpacked, before, after)


def check_unpacked(folder, unpacked, before, after):
    "`Broken` unless all that is new are six good files in one folder."
    new = [folder / path for path in after if after[path] != before.get(path)]
    outside = [path for path in new if path != unpacked and path.parent != unpacked]
    if outside or folder / "ground" / "data" not in unpacked.parents:
        raise Broken(f"it wrote to {outside}")
    if not is_complete(unpacked):
        raise Broken("it left out a file")
    for path in new:
        if path.suffix == ".bin" and path.read_bytes() != GOOD_BATCH:
            raise Broken(f"{path.name} has other pictures than were packed")


def fuzz_archives(trial, folder):
    "Archives with odd members."
    bomb = [Member("data_batch_1", "file", "a large file")]
    half = [*_good_members[:3], Member("../victim", "file", b"touched")]
    fixed = []
    for packing in ("tar.gz", "zip"):
        for members in (bomb, half):
            fixed.append(Archive(packing, tarfile.GNU_FORMAT, members, []))
    trial.run(partial(check_archive, folder), archives, fixed=fixed)


def fuzz_whole_archives(trial, folder):
    "A good archive with something changed in it."
    fixed = []
    for packing in ("tar.gz", "zip"):
        fixed.append(Archive(packing, tarfile.PAX_FORMAT, _good_members, []))
    trial.run(partial(check_archive, folder), whole_archives, fixed=fixed)


# ---- pictures

@dataclass(frozen=True)
class Picture:
    "A picture file of a format and a mode, with edits of its bytes."
    format: str
    mode: str
    edits: list


@dataclass(frozen=True)
class Png:
    "A PNG with its checksums right: what its head says, and chunks of (kind, content)."
    head: tuple                                          # width, height, depth, colour, …
    chunks: list


MODES = {
    "PNG": ("RGB", "RGBA", "L", "LA", "P", "1", "I;16"),
    "JPEG": ("RGB", "L", "CMYK"),
    "TIFF": ("RGB", "L", "F", "I;16", "I", "CMYK", "LAB", "1"),
    "GIF": ("P", "L"),
    "BMP": ("RGB", "P"),
    "WEBP": ("RGB", "RGBA"),
    "PPM": ("RGB", "L", "I;16"),
}


@cache
def picture_bytes(format, mode):
    "A small picture of that format and mode."
    pixels = np.random.default_rng(0).integers(0, 256, (24, 20, 4), dtype=np.uint8)
    picture = Image.fromarray(pixels).convert("RGB" if mode == "LAB" else "RGBA")
    if mode in ("I;16", "LA"):
        picture = picture.convert("L")
    if mode == "LAB":
        picture = Image.frombytes("LAB", (20, 24), pixels[..., :3].tobytes())
    elif mode in ("CMYK", "P", "1"):
        picture = picture.convert("RGB")
    buffer = io.BytesIO()
    picture.convert(mode).save(buffer, format)
    return buffer.getvalue()


def png_bytes(png):
    "A PNG's signature and chunks."
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", *png.head)), *png.chunks, (b"IEND", b"")]
    raw = b"\x89PNG\r\n\x1a\n"
    for kind, content in chunks:
        checksum = zlib.crc32(kind + content)
        raw += struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)
    return raw


_formats = [(format, mode) for format, modes in MODES.items() for mode in modes]
_sides = st.sampled_from([0, 1, 2, 20, 8_000, 2**16, 2**31, 2**32 - 1])
_head = st.tuples(
    _sides,
    _sides,
    st.sampled_from([1, 2, 4, 8, 16, 0, 255]),
    st.sampled_from([0, 2, 3, 4, 6, 1, 255]),
    st.sampled_from([0, 0, 0, 1]),
    st.sampled_from([0, 0, 0, 1]),
    st.sampled_from([0, 1, 2]),
)
_chunk_kinds = [b"PLTE", b"tRNS", b"IDAT", b"iCCP", b"zTXt", b"iTXt", b"tEXt", b"eXIf", b"gAMA",
                b"pHYs", b"acTL", b"fcTL", b"fdAT", b"sRGB", b"IHDR", b"IEND", b"abcd"]
_chunk_contents = st.one_of(
    st.binary(max_size=30),
    st.sampled_from([
        zlib.compress(bytes(2_000)),
        b"x\0\0" + zlib.compress(bytes(2_000_000)),
        b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0",
        b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x09\0\0\xff\xff\xff\xff",
    ]),
)
_chunks = st.lists(st.tuples(st.sampled_from(_chunk_kinds), _chunk_contents), max_size=4)


def _picture(format_and_mode, changes):
    "A picture of a format and a mode that go together."
    return Picture(*format_and_mode, changes)


pictures = st.one_of(
    st.builds(_picture, st.sampled_from(_formats), some_edits),
    st.builds(_picture, st.sampled_from(_formats), some_edits),
    st.builds(Png, _head, _chunks),
)


def fuzz_pictures(trial, folder):
    "Pictures of all formats, changed, and PNGs with odd heads and chunks."
    def check(example):
        path = folder / "a-picture"
        if isinstance(example, Png):
            path.write_bytes(png_bytes(example))
        else:
            raw = picture_bytes(example.format, example.mode)
            path.write_bytes(edited(raw, example.edits))
        read = refusable(read_picture, path, errors=(DataError,), names=[path.name])
        if read is not None and (read.shape != (1, 3, 32, 32) or read.dtype != torch.uint8):
            raise Broken(f"a picture of {read.shape} of {read.dtype}")

    good = [Picture(format, mode, []) for format, mode in _formats]
    trial.run(check, pictures, fixed=good)


# ---- run folders

TENSORS = {
    "tensor: nan": torch.full((8,), float("nan")),
    "tensor: ()": torch.tensor(1.),
    "tensor: (0,)": torch.zeros(0),
    "tensor: (3,)": torch.full((3,), .5),
    "tensor: (3,) of 0": torch.zeros(3),
    "tensor: (3,) float64": torch.full((3,), .5, dtype=torch.float64),
    "tensor: (8, 3072) int64": torch.ones(8, 3072, dtype=torch.int64),
    "tensor: (8, 3072) float16": torch.ones(8, 3072, dtype=torch.float16),
    "tensor: complex": torch.ones(3, dtype=torch.complex64),
    "tensor: bool": torch.ones(3, dtype=torch.bool),
    "tensor: uint8": torch.ones(5056, dtype=torch.uint8),
    "tensor: sparse": torch.eye(8).to_sparse(),
    "tensor: expanded": torch.ones(1).expand(2**20, 2**20),
    "tensor: shape only": torch.ones(3, device="meta"),
    "tensor: with gradient": torch.nn.Parameter(torch.full((3,), .5)),
}


def zipped_again(content, more=b""):
    "A file of tensors as a compressed zip, with one member more."
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as source:
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
            for member in source.infolist():
                file.writestr(member.filename, source.read(member))
            file.writestr("archive/data/99", more)
    return buffer.getvalue()


def saved(value, **settings):
    "A value in a file of PyTorch's."
    buffer = io.BytesIO()
    torch.save(value, buffer, **settings)
    return buffer.getvalue()


def other_files(raw, state):
    "(kind, bytes) of files that can stand in the place of a file of tensors."
    yield "empty", b""
    yield "a pickle", pickle.dumps(os.system)
    yield "a list", saved([state])
    yield "a text", saved("text")
    yield "a program", saved(os.system)
    yield "as PyTorch wrote it once", saved(state, _use_new_zipfile_serialization=False)
    content, mark, checksum = raw.rpartition(b"\nsha256 ")
    yield "cut behind the tensors", content + mark
    yield "another zip", zip_bytes(Archive("zip", 0, [Member("x", "file", b"hello")], []))
    yield "compressed", zipped_again(content)
    yield "a zip bomb", zipped_again(content, bytes(20_000_000))


class Stop(Callback):
    "Interrupts a run after its first epoch, when its checkpoint is written."
    order = 200

    def after_epoch(self, learner):
        "As Ctrl-C does."
        raise KeyboardInterrupt


DATA = load_standin(200, 50)
RECIPE = Recipe(
    name="tiny",
    hidden_sizes=(8,),
    batch_size=64,
    flip=True,
    views=1,
    early_stopping=9,
    phases=(Phase(n_epochs=2, optimizer="adamw", lr=8e-3, schedule="one_cycle"),),
)


def make_runs(trial, folder):
    "A finished run of one epoch, and one that was interrupted after the first of two."
    phase = RECIPE.phases[0].model_copy(update={"n_epochs": 1})
    short = RECIPE.model_copy(update={"phases": (phase,)})
    train_run(short, DATA, folder / "finished", progress=False, device="cpu")
    with contextlib.suppress(KeyboardInterrupt):
        train_run(RECIPE, DATA, folder / "unfinished", progress=False, device="cpu",
                  callbacks=(Stop(),))


class Runs:
    "The two runs, their damaged copies, and strategies for damage."
    def __init__(self, made, folder):
        self.bytes = {}                                  # (run, file): its bytes
        for run in ("finished", "unfinished"):
            for path in (made / run).iterdir():
                self.bytes[run, path.name] = path.read_bytes()
        self.states = {}                                 # what is in a file of tensors
        self.others = {}                                 # (file, kind): other bytes for it
        for file in ("model.pt", "checkpoint.pt"):
            self.states[file] = read_tensors(made / "unfinished" / file)
            for kind, raw in other_files(self.bytes["unfinished", file], self.states[file]):
                self.others[file, kind] = raw
        self.run = folder / "a-run"
        self.other = folder / "another-run"
        self.copy("finished", self.other)
        self.names = (*RUN_FILES, self.run.name)

    def copy(self, run, folder):
        "A copy of one of the runs."
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        for (owner, name), raw in self.bytes.items():
            if owner == run:
                (folder / name).write_bytes(raw)

    def damage(self, damage):
        "A damaged copy stands in `self.run`."
        run = run_with(damage.file)
        self.copy(run, self.run)
        if damage.file == "run.json":                    # it is read where there is no other
            (self.run / "checkpoint.pt").unlink()
        path = self.run / damage.file
        if damage.kind == "file":
            path.write_bytes(self.others[damage.file, damage.what])
        elif damage.kind == "values" and damage.file in self.states:
            changes = [(place, forged(value)) for place, value in damage.what]
            write_tensors(path, with_changes(self.states[damage.file], changes))
        else:
            path.write_bytes(spoilt(self.bytes[run, damage.file], damage))

    def of(self, *files):
        "A strategy for damage of these files."
        kinds = []
        for file in files:
            kinds.append(damages(file, "bytes", some_edits))
            if file in self.states:
                values = st.one_of(odd_values, st.sampled_from(list(TENSORS)))
                kinds.append(damages(file, "values", changes_of(self.states[file], values)))
                others = [kind for owner, kind in self.others if owner == file]
                kinds.append(damages(file, "file", st.sampled_from(others)))
                kinds.append(damages(file, "bytes", st.lists(flips, min_size=1, max_size=1)))
            elif file.endswith(".csv"):
                kinds.append(damages(file, "values", _cells))
            else:
                tree = json.loads(self.bytes[run_with(file), file])
                kinds.append(damages(file, "values", changes_of(tree)))
        return st.one_of(kinds)


def run_with(file):
    "The run in which the file is looked at."
    return "unfinished" if file in ("checkpoint.pt", "run.json") else "finished"


def forged(value):
    "What an odd value stands for in a file of tensors."
    if value is Odd.DEEP:
        nested = []
        for _ in range(200):
            nested = [nested]
        return nested
    if isinstance(value, str):
        return TENSORS.get(value, value)
    return value


_cell_texts = [
    "", "nan", "inf", "-1", "0", "2", "1e999", "1e308", "1e-320", "x", "1_0", "٣", '"',
    "9" * 50, "a,b", "\0", "\ud800", "\x1b[31m", "two\nlines", " 1 ", "0x1p3", "-0.0",
]
_cells = st.lists(
    st.tuples(
        st.tuples(st.integers(0, 1), st.integers(0, 6)),           # row and column
        st.sampled_from(_cell_texts),
    ),
    min_size=1,
    max_size=3,
)


def is_flip(damage):
    "Is it a single bit?"
    return damage.kind == "bytes" and len(damage.what) == 1 and damage.what[0][0] == "flip"


def fuzz_readers(trial, folder):
    "All that reads a run's folder."
    runs = Runs(folder.parent / "runs", folder)

    def check(damage):
        runs.damage(damage)
        both = [runs.other, runs.run]
        calls = [
            (read_metrics, runs.run),
            (read_history, runs.run / "history.csv"),
            (read_run_recipe, runs.run),
            (list_runs, folder),
            (different_settings, both),
            (results_table, both),
        ]
        for call, *arguments in calls:
            refusable(call, *arguments, names=runs.names)
        loaded = refusable(load_run, runs.run, names=runs.names)
        if loaded:
            loaded.probabilities(torch.zeros(1, *loaded.spec.shape, dtype=torch.uint8))
        checkpoint = refusable(read_checkpoint, runs.run, names=runs.names)
        if is_flip(damage) and damage.file == "model.pt" and loaded:
            raise Broken("a flipped bit in model.pt was not noticed")
        if is_flip(damage) and damage.file == "checkpoint.pt" and checkpoint:
            raise Broken("a flipped bit in checkpoint.pt was not noticed")

    trial.run(check, runs.of(*COMMANDS))


def fuzz_pages(trial, folder):
    "The report of a run, and the page that compares two."
    runs = Runs(folder.parent / "runs", folder)

    def check(damage):
        runs.damage(damage)
        refusable(write_report, runs.run, DATA, names=runs.names, seconds=None)
        both = [runs.other, runs.run]
        page = folder / "page.html"
        refusable(write_comparison, both, page, names=runs.names, seconds=None)
        left = [path.name for path in folder.rglob(".*")]
        if left:
            raise Broken(f"left behind: {left}")

    tree = json.loads(runs.bytes["finished", "metrics.json"])
    figures = damages("metrics.json", "values", changes_of(tree))
    rows = damages("history.csv", "values", _cells)
    trial.run(check, st.one_of(figures, figures, rows, runs.of("recipe.json")))


# file: the commands that read it
COMMANDS = {
    "model.pt": ("predict a-run picture.png", "predict a-run picture.png --json",
                 "evaluate a-run"),
    "metrics.json": ("evaluate a-run", "report a-run", "runs --folder .",
                     "runs a-run another-run --json", "runs --remove a-run"),
    "history.csv": ("report a-run", "runs a-run another-run"),
    "recipe.json": ("report a-run", "runs a-run another-run", "recipes a-run",
                    "recipes a-run mlp --json",
                    "train --recipe a-run --epochs 1 --out a-third-run --quiet"),
    "checkpoint.pt": ("train --resume a-run --quiet",),
    "run.json": ("train --resume a-run --quiet",),
}


def _undrawn(ax, alt, caption, kind="svg"):
    "A figure for a page, without its picture: another target draws."
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
    if "Traceback" in said:
        raise Broken(f"a traceback: {said[-400:]}")
    if status not in (0, 1, 130):
        raise Broken(f"the exit status {status}")
    if status == 1:
        last = said.splitlines()[-1] if said else ""
        start, colon, message = last.partition("cifar-course: ")
        if start or not colon:
            raise Broken(f"no line of its own at the end: {said[-400:]!r}")
        check_message(ValueError(message), names=names)


def fuzz_commands(trial, folder):
    "The program's commands on a damaged run."
    runs = Runs(folder.parent / "runs", folder)
    os.chdir(folder)
    Path("picture.png").write_bytes(picture_bytes("PNG", "RGB"))
    sources.load_standin = _small_standin
    cifar_course.report.embed = _undrawn
    cifar_course.lab.compare.embed = _undrawn
    signal.signal(signal.SIGPROF, signal.default_int_handler)

    def check(example):
        words, damage = example
        runs.damage(damage)
        shutil.rmtree("a-third-run", ignore_errors=True)
        run_command(words, runs.names)

    kinds = []
    for file, commands in COMMANDS.items():
        kinds.append(st.tuples(st.sampled_from(commands), runs.of(file)))
    trial.run(check, st.one_of(kinds))


def _small_standin():
    "The stand-in that the runs were trained on."
    return DATA


# ---- records and recipes

RECORDS = ("mlp", "dropout", "speed", "lab1")


def files_damaged(raws):
    "A strategy for damage of JSON files (name: bytes)."
    kinds = []
    for file, raw in raws.items():
        kinds.append(damages(file, "values", changes_of(json.loads(raw))))
        kinds.append(damages(file, "bytes", some_edits))
    return st.one_of(kinds)


def fuzz_records(trial, folder):
    "Records."
    raws = {}
    for name in RECORDS:
        raws[f"{name}.json"] = (records_folder() / f"{name}.json").read_bytes()

    def check(damage):
        path = folder / damage.file
        path.write_bytes(spoilt(raws[damage.file], damage))
        refusable(load_record, path.stem, folder, names=[path.name])

    trial.run(check, files_damaged(raws))


_old_phase = {"n_epochs": 3, "loss": "cross_entropy", "optimizer": "rmsprop", "lr": .01,
              "label_smoothing": .1, "momentum": .9, "schedule": "plateau",
              "plateau_patience": 3, "nesterov": True, "weight_decay": .1}
_old_recipe = {"name": "old", "hidden_sizes": [8], "standardise": True, "batch_norm": True,
               "phases": [_old_phase]}
_keys = st.one_of(st.sampled_from([*Recipe.model_fields, *Phase.model_fields]), st.text())


def _nested(below):
    "A strategy for lists and dictionaries of what is below."
    return st.one_of(st.lists(below, max_size=4), st.dictionaries(_keys, below, max_size=5))


def fuzz_recipes(trial, folder):
    "Recipes as dictionaries, and in files."
    raws = {"old.json": json_bytes(_old_recipe)}
    for name in ("mlp", "lab1", "cnn"):
        raws[f"{name}.json"] = json_bytes(RECIPES[name].model_dump(mode="json"))
    path = folder / "a-recipe.json"

    def check(example):
        if isinstance(example, Damage):
            path.write_bytes(spoilt(raws[example.file], example))
        else:
            path.write_bytes(json_bytes(example))
        refusable(read_recipe, path, most=None, names=[path.name])
        try:
            plain = json.loads(path.read_bytes())
        except (ValueError, RecursionError):
            return
        recipe = refusable(recipe_from_dict, plain, most=None, printable=False)
        if recipe is not None and recipe_from_dict(recipe.model_dump(mode="json")) != recipe:
            raise Broken("another recipe after it was written down")

    trees = st.recursive(odd_values, _nested, max_leaves=12)
    trial.run(check, st.one_of(files_damaged(raws), files_damaged(raws), trees))


_fields = st.sampled_from([
    *flatten_recipe(RECIPES["mlp"]), "phases", "phases.0", "phases.0.lr", "phases.0.n_epochs",
    "phases.0.optimizer", "phases.0.optimizer_settings", "phases.0.optimizer_settings.betas",
    "phases.0.optimizer_settings.momentum", "phases.0.loss_settings.label_smoothing",
    "phases.0.loss_settings.weights", "phases.0.schedule", "phases.0.schedule_settings.rise",
    "phases.-1.lr", "phases.9.lr", "phases.٣.lr", "phases.0.lr.x", "name.x", "", ".", "..",
    "phases.", ".phases", "\ud800", "\0", "x\ny", "phases." + "9" * 5_000 + ".lr",
])
_values = st.one_of(
    st.sampled_from([
        "", "true", "none", "[8]", "(8, 8)", "[[8]]", "{}", "{1}", "{[]: 1}", "{{}}", "b'x'",
        "1j", "1e999", "-1e999", "[1e999]", "9" * 5_000, "1" * 1_000, "0x10", "1_000", "1.",
        "'x' 'y'", "'\\ud800'", "\0", "\x1b[31m", "two\nlines", "[" * 900, "(" * 90 + ")" * 90,
        "-" * 900 + "1", "1+1j", "...", "f'{1}'", "sgd", "adam", "plateau", "one_cycle", "relu",
        "['relu']", "[.9, 2]", "[.9]", "[]", "'9'", "64", "65537", "1" + "0" * 30, ".5", "-1",
    ]),
    st.text(max_size=12),
    st.text("[](){}:,.'\"0123456789eE-+_ jTrue\\xN", max_size=24),
)
_one_setting = st.builds("{}={}".format, _fields, _values)
set_texts = st.lists(st.one_of(_one_setting, st.text(max_size=12)), min_size=1, max_size=3)


def fuzz_settings(trial, folder):
    "What is written after --set."
    def check(texts):
        changes = refusable(parse_changes, texts, most=None, printable=False)
        if changes is None:
            return
        recipe = refusable(change_recipe, RECIPES["mlp"], changes, most=None, printable=False)
        if recipe is not None:
            refusable(check_recipe, recipe, most=None, printable=False)

    trial.run(check, set_texts)


# ---- the functions' doors

@dataclass(frozen=True)
class Numbers:
    "A tensor, an array or a list."
    kind: str                                            # tensor, array, list, strided
    dtype: str
    shape: tuple
    fill: str


_torch_dtypes = ["uint8", "int8", "int16", "int32", "int64", "uint16", "uint64", "float16",
                 "bfloat16", "float32", "float64", "bool", "complex64"]
_numpy_dtypes = ["u1", "i1", "i4", "i8", ">i4", ">i8", "u2", "u8", "f2", "f4", "f8", ">f4", "g",
                 "?", "c8", "U2", "S2", "M8[s]", "O"]
_shapes = st.lists(st.sampled_from([0, 1, 2, 3, 4, 10]), max_size=4).map(tuple)
_fills = st.sampled_from(["counting", "counting", "zeros", "minus one", "nan", "shares", "300"])
_numbers = st.one_of(
    st.builds(Numbers, st.just("tensor"), st.sampled_from(_torch_dtypes), _shapes, _fills),
    st.builds(Numbers, st.sampled_from(["array", "strided", "list"]),
              st.sampled_from(_numpy_dtypes), _shapes, _fills),
)
_things = st.sampled_from([
    None, True, 0, 1, 2, 3, 10, -1, 300, .5, 0., 1., -.5, 2.5, float("nan"), float("inf"),
    "", "3", "random", "last", "two\nlines", (), [], [[]], [1, [2]], {}, {3}, [None], ["a"],
    b"x", 1j, 2**70, 10**400, object, np.int64(3), np.float32(.5), np.array(2), range(3),
])


def made(example):
    "What the example stands for."
    if not isinstance(example, Numbers):
        return example
    n = int(np.prod(example.shape))
    filled = {
        "counting": np.arange(n) % 10,
        "zeros": np.zeros(n),
        "minus one": np.full(n, -1),
        "nan": np.full(n, np.nan),
        "shares": np.linspace(0, 1, n),
        "300": np.full(n, 300),
    }[example.fill]
    if example.kind == "tensor":
        values = torch.from_numpy(filled).reshape(example.shape)
        return values.to(getattr(torch, example.dtype))
    if example.dtype == "M8[s]":
        filled = filled.astype("i8")
    array = filled.reshape(example.shape).astype(example.dtype)
    if example.kind == "list":
        return array.tolist()
    if example.kind == "strided" and array.ndim:
        return np.repeat(array, 2, 0)[::-2]
    return array


def batches_seen(*arguments):
    "All batches of one pass."
    return list(Batches(*arguments))


def judged(logits, labels):
    "All that an evaluation knows."
    evaluation = Evaluation(logits, labels)
    return evaluation.metrics(), evaluation.mean_confidence(), evaluation.most_confident(True)


_any = st.one_of(_numbers, _things)
_size = st.one_of(st.integers(1, 12), _any)


def _likely(kind_of_fill, *shape):
    "Mostly numbers that fit, of any type."
    fit = st.builds(Numbers, st.sampled_from(["tensor", "array", "list"]),
                    st.sampled_from(["uint8", "int64", "float32"]), st.just(shape),
                    st.just(kind_of_fill))
    return st.one_of(fit, _any)


_labels = _likely("counting", 4)
_logits = _likely("shares", 4, 10)
DOORS = {
    "Batches": (batches_seen, _likely("counting", 4, 3, 4, 4), _labels, _size),
    "one_hot": (one_hot, _labels, _size),
    "confusion_matrix": (confusion_matrix, _labels, _labels, _size),
    "Evaluation": (judged, _logits, _labels),
    "split_indices": (split_indices, _likely("zeros", 10), st.one_of(st.just(.5), _any),
                      st.one_of(st.sampled_from(["stratified", "random", "last"]), _things),
                      _size),
    "channel_statistics": (channel_statistics, _likely("counting", 4, 3, 4, 4)),
    "reliability": (reliability, _likely("shares", 4), _likely("zeros", 4), _size),
}
for _name, _loss in LOSSES.items():
    if _loss is not torch.nn.functional.cross_entropy:   # PyTorch's own words are not ours
        DOORS[f"the loss {_name}"] = _loss, _logits, _labels


def fuzz_doors(trial, folder):
    "What people hand to functions."
    def check(example):
        name, *arguments = example
        arguments = [made(argument) for argument in arguments]
        refusable(DOORS[name][0], *arguments, errors=(ValueError, TypeError), most=None,
                  printable=False)

    doors = [st.tuples(st.just(name), *kinds) for name, (_, *kinds) in DOORS.items()]
    trial.run(check, st.one_of(doors), most=6000)


# ---- all of them

TARGETS = {                                              # name: (function, seconds)
    "batches": (fuzz_batches, 24),
    "commands": (fuzz_commands, 26),
    "pages": (fuzz_pages, 20),
    "readers": (fuzz_readers, 18),
    "archives": (fuzz_archives, 12),
    "whole archives": (fuzz_whole_archives, 14),
    "doors": (fuzz_doors, 12),
    "pictures": (fuzz_pictures, 12),
    "recipes": (fuzz_recipes, 12),
    "streams": (fuzz_streams, 12),
    "records": (fuzz_records, 8),
    "settings": (fuzz_settings, 8),
}


def bound_memory():
    "From now on the process gets `MOST_MEMORY` more, where the system can say that."
    statm = Path("/proc/self/statm")
    if statm.exists():
        now = int(statm.read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (now + MOST_MEMORY, now + MOST_MEMORY))


class Child:
    "A target in a process of its own."
    def __init__(self, name, function, seconds, folder):
        self.name = name
        self.folder = folder
        self.latest = time.monotonic() + seconds + SHRINKING + PATIENCE
        folder.mkdir()
        sys.stdout.flush()
        self.pid = os.fork()
        if self.pid == 0:
            self.work(function, seconds)

    def work(self, function, seconds):
        "In the child: try, tell, and leave."
        status = 1
        try:
            with open(self.folder / "said", "w") as said:            # by libraries, in C
                os.dup2(said.fileno(), 2)
            warnings.simplefilter("ignore")              # of what we do, not of what we test
            bound_memory()
            trial = Trial(self.folder, seconds)
            function(trial, self.folder)
            (self.folder / "n").write_text(str(trial.n))
            status = int(trial.tell(self.name))
        except BaseException:
            traceback.print_exc(file=sys.stdout)
        finally:
            sys.stdout.flush()
            os._exit(status)

    def has_ended(self):
        "Has it? One that hangs is ended."
        if time.monotonic() > self.latest:
            os.kill(self.pid, signal.SIGKILL)
        pid, status = os.waitpid(self.pid, os.WNOHANG)
        if pid == 0:
            return False
        code = os.waitstatus_to_exitcode(status)
        if code < 0:
            said = (self.folder / "said").read_text(errors="replace")[-400:]
            last = (self.folder / "last").read_text(encoding="utf-8")
            how = signal.Signals(-code).name             # SIGKILL: it was we
            print(f"{self.name}: hung or crashed, {how}: {said}\n    {last}")
        self.failed = code != 0
        return True

    def n_examples(self):
        "How many it tried."
        path = self.folder / "n"
        return int(path.read_text()) if path.exists() else 0


def folder_in_memory():
    "Where files are written fastest; None, for the usual place, where there is no room."
    place = "/dev/shm"
    if os.path.isdir(place) and shutil.disk_usage(place).free > 2_000_000_000:
        return place
    return None


def fuzz(names, folder):
    "Try the targets, some at once; how many examples of each, and the names that failed."
    waiting = list(names)
    running, failed, tried = [], [], {}
    while waiting or running:
        while waiting and len(running) < AT_ONCE:
            name = waiting.pop(0)
            function, seconds = TARGETS[name]
            running.append(Child(name, function, seconds, folder / name.replace(" ", "-")))
        time.sleep(.05)
        for child in [child for child in running if child.has_ended()]:
            running.remove(child)
            tried[child.name] = child.n_examples()
            if child.failed:
                failed.append(child.name)
            shutil.rmtree(child.folder)
    return tried, failed


def main():
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)                       # as training does; Hypothesis asks
    check_recipe(RECIPE)                                 # loads what PyTorch loads late
    start = time.monotonic()
    names = sys.argv[1:] or list(TARGETS)
    with tempfile.TemporaryDirectory(dir=folder_in_memory()) as name:
        folder = Path(name)
        maker = Child("runs", make_runs, 60, folder / "runs")
        while not maker.has_ended():
            time.sleep(.05)
        if maker.failed:
            return 1
        tried, failed = fuzz(names, folder)
    counts = ", ".join(f"{name} {tried[name]:,}" for name in names)
    seconds = time.monotonic() - start
    print(f"examples in {seconds:.0f} s: {counts}; failed: {', '.join(failed) or 'none'}")
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
