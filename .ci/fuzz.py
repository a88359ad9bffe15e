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
from functools import cache
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"                      # set before PyTorch is loaded
os.environ["MPLBACKEND"] = "agg"
ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402
import torch  # noqa: E402
from hypothesis import HealthCheck, given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from PIL import Image  # noqa: E402

import cifar_course.lab.compare  # noqa: E402
import cifar_course.report  # noqa: E402
from cifar_course.cli import main as command  # noqa: E402
from cifar_course.cli import parse_changes  # noqa: E402
from cifar_course.data import sources  # noqa: E402
from cifar_course.data.batches import MOST_SAID, N_PER_FILE, N_PIXELS, parse_batch  # noqa: E402
from cifar_course.data.cifar10 import BINARY_FILES, extract_archive, is_complete  # noqa: E402
from cifar_course.data.dataset import DataError  # noqa: E402
from cifar_course.data.pictures import read_picture  # noqa: E402
from cifar_course.data.standin import load_standin  # noqa: E402
from cifar_course.evaluation import Evaluation, confusion_matrix, reliability  # noqa: E402
from cifar_course.lab.catalogue import RECIPES  # noqa: E402
from cifar_course.lab.claim import RUN_FILES  # noqa: E402
from cifar_course.lab.compare import (  # noqa: E402
    different_settings,
    list_runs,
    results_table,
    write_comparison,
)
from cifar_course.lab.files import (  # noqa: E402
    read_checkpoint,
    read_history,
    read_metrics,
    read_run_recipe,
)
from cifar_course.lab.page import write_report  # noqa: E402
from cifar_course.lab.recipe import (  # noqa: E402
    Phase,
    Recipe,
    change_recipe,
    flatten_recipe,
    read_recipe,
    recipe_from_dict,
)
from cifar_course.lab.registries import check_recipe  # noqa: E402
from cifar_course.lab.run import load_run, train_run  # noqa: E402
from cifar_course.losses import LOSSES  # noqa: E402
from cifar_course.preprocessing import (  # noqa: E402
    Batches,
    channel_statistics,
    one_hot,
    split_indices,
)
from cifar_course.studies.records import load_record, records_folder  # noqa: E402
from cifar_course.training import Callback, read_tensors, write_tensors  # noqa: E402

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
        self.faults = {}                                 # (kind, place): (error, example)
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
        if known is None or len(repr(example)) < len(repr(known[1])):
            self.faults[fault] = error, example

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
        for (kind, place), (error, example) in self.faults.items():
            print(f"{name}: {place} {kind}: {str(error)[:400]}\n    {repr(example)[:1500]}")
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
    seconds = time.process_time() - start
    if seconds > MOST_SECONDS:
        raise Broken(f"{call.__name__} took {seconds:.1f} s")
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
_plain_odd = [
    None, True, False, 0, 1, 2, -1, 7, 2**31, 2**63, 10**400, .5, -.5, 1.5, 1e308, 1e-320,
    float("nan"), float("inf"), "", "1", "nan", "no such name", "two\nlines", "\x1b[31mred",
    "\u2028", "\ud800", "\0", "$(x)", "$x^$", "<b>", "{{ 7 * 7 }}", "é" * 5_000,
    [], {}, [[]], [None], [1, 2], [.5] * 10, ["relu"], {"": 0}, {"mean": None},
    Odd.MISSING, Odd.DEEP,
]
odd_values = st.sampled_from(_plain_odd)


def changes_of(tree, values=odd_values):
    "A strategy for one to three changes of a tree."
    one = st.tuples(st.sampled_from(paths_in(tree)), values)
    return st.lists(one, min_size=1, max_size=3)


def json_bytes(tree):
    "The tree as JSON, with what JSON's own writer refuses."
    def written(value):
        return "\0deep" if value is Odd.DEEP else "\0missing"
    text = json.dumps(tree, default=written)
    deep = "[" * 20_000 + "]" * 20_000
    return text.replace('"\\u0000deep"', deep).encode()


# ---- batch files

CODES = {opcode.name: opcode.code.encode("latin-1") for opcode in pickletools.opcodes}
LENGTHS = {                                              # bytes that say how many follow
    "SHORT_BINUNICODE": 1, "SHORT_BINSTRING": 1, "SHORT_BINBYTES": 1,
    "BINUNICODE": 4, "BINSTRING": 4, "BINBYTES": 4,
    "BINUNICODE8": 8, "BINBYTES8": 8, "BYTEARRAY8": 8,
}
PIXELS = object()                                        # stands for the block of pixels


@cache
def pixel_bytes():
    "The pixels of all our batch files."
    return np.random.default_rng(0).bytes(N_PER_FILE * N_PIXELS)


@cache
def pixel_text():
    "The same as protocol 2 writes bytes: a text in UTF-8."
    return pixel_bytes().decode("latin-1").encode()


LABELS = [i % 10 for i in range(N_PER_FILE)]


@dataclass(frozen=True)
class Name:
    "A function or class."
    module: str
    name: str


@dataclass(frozen=True)
class Call:
    "What is to be called, and what the result is given."
    function: Name
    arguments: tuple
    state: object = None


@dataclass(frozen=True)
class Batch:
    "A batch file: how it is written, what is odd in it, and edits of its bytes."
    protocol: int
    text: str                                            # opcodes
    number: str
    pixels: str                                          # TEXT: protocol 2's way
    memo: str
    stack_names: bool
    one_by_one: bool                                     # lists and dictionaries
    array: str
    package: str
    labels_first: bool
    odd: tuple | None                                    # a part, and what stands there
    edits: list                                          # (before the pixels?, edit) each


@dataclass(frozen=True)
class Stream:
    "A pickle of (opcode, argument, how many times)."
    protocol: int
    steps: list


class Writer:
    "Pickles plain values as a batch's style has it, without the pixels."
    def __init__(self, style):
        self.style = style
        self.parts = [bytearray(CODES["PROTO"] + bytes([style.protocol]))]
        self.n_memo = 0

    def code(self, name, argument=b""):
        "One opcode."
        self.parts[-1] += CODES[name] + argument

    def counted(self, name, content):
        "An opcode with its own length."
        self.code(name, len(content).to_bytes(LENGTHS[name], "little") + content)

    def remember(self):
        "Puts the value on top into the memo, where the style has one."
        if self.style.memo == "MEMOIZE":
            self.code("MEMOIZE")
        elif self.style.memo == "BINPUT" and self.n_memo < 256:
            self.code("BINPUT", bytes([self.n_memo]))
        elif self.style.memo:
            self.code("LONG_BINPUT", self.n_memo.to_bytes(4, "little"))
        self.n_memo += 1

    def text(self, value):
        "A text; as bytes, where the style has it so. Only short ones fit all opcodes."
        name = self.style.text
        content = value.encode("utf-8", "surrogatepass")
        if len(content) > 255:
            name = "BINUNICODE"
        self.counted(name, content)
        self.remember()

    def number(self, value):
        "A whole number."
        name = self.style.number
        if name == "BININT1" and 0 <= value < 2**8:
            self.code(name, bytes([value]))
        elif name in ("BININT1", "BININT2") and 0 <= value < 2**16:
            self.code("BININT2", value.to_bytes(2, "little"))
        elif name != "LONG1" and -2**31 <= value < 2**31:
            self.code("BININT", value.to_bytes(4, "little", signed=True))
        else:
            n_bytes = value.bit_length() // 8 + 1
            written = value.to_bytes(n_bytes, "little", signed=True)
            self.code("LONG1", bytes([n_bytes]) + written)

    def many(self, values, empty, one, several):
        "A list's or a dictionary's values, one a step or all at once."
        self.code(empty)
        self.remember()
        if not self.style.one_by_one:
            self.code("MARK")
        for value in values:
            for part in value:
                self.value(part)
            if self.style.one_by_one:
                self.code(one)
        if not self.style.one_by_one:
            self.code(several)

    def name(self, value):
        "A function or class; its name is a text in every style."
        if self.style.stack_names:
            self.counted("SHORT_BINUNICODE", value.module.encode())
            self.counted("SHORT_BINUNICODE", value.name.encode())
            self.code("STACK_GLOBAL")
        else:
            self.code("GLOBAL", f"{value.module}\n{value.name}\n".encode())
        self.remember()

    def block(self):
        "The pixels, which stand between two parts."
        name = self.style.pixels
        if name == "TEXT":
            self.name(Name("_codecs", "encode"))
            self.code("BINUNICODE", len(pixel_text()).to_bytes(4, "little"))
            self.parts.append(bytearray())
            self.counted("SHORT_BINUNICODE", b"latin1")
            self.code("TUPLE2")
            self.code("REDUCE")
        else:
            self.code(name, len(pixel_bytes()).to_bytes(LENGTHS[name], "little"))
            self.parts.append(bytearray())
        self.remember()

    def tuple(self, values):
        "A tuple."
        if len(values) > 3 or self.style.one_by_one:
            self.code("MARK")
        for value in values:
            self.value(value)
        if len(values) > 3 or self.style.one_by_one:
            self.code("TUPLE")
        else:
            self.code(f"TUPLE{len(values)}" if values else "EMPTY_TUPLE")
        self.remember()

    def value(self, value):
        "Any of the values that a batch has, or that are odd in it."
        match value:
            case None:
                self.code("NONE")
            case bool():
                self.code("NEWTRUE" if value else "NEWFALSE")
            case int():
                self.number(value)
            case float():
                self.code("BINFLOAT", struct.pack(">d", value))
            case str():
                self.text(value)
            case bytes():
                self.counted("BINBYTES", value)
            case tuple():
                self.tuple(value)
            case list():
                self.many([(part,) for part in value], "EMPTY_LIST", "APPEND", "APPENDS")
            case dict():
                self.many(value.items(), "EMPTY_DICT", "SETITEM", "SETITEMS")
            case Name():
                self.name(value)
            case Call():
                self.call(value)
            case _ if value is PIXELS:
                self.block()

    def call(self, value):
        "A call, and the state for its result."
        self.name(value.function)
        self.tuple(value.arguments)
        self.code("REDUCE")
        self.remember()
        if value.state is not None:
            self.value(value.state)
            self.code("BUILD")


# what can be odd in a batch
PARTS = {
    "key": "labels",
    "labels": LABELS,
    "label": 9,                                          # the last one
    "data": None,                                        # made of the parts below
    "contents": PIXELS,
    "shape": (N_PER_FILE, N_PIXELS),
    "version": 1,
    "fortran": False,
    "dtype": "u1",
    "state": (3, "|", None, None, None, -1, -1, 0),
    "extra": "training batch 1 of 5",
}
_hostile_dtype = Call(Name("numpy", "dtype"), ("O", False, True),
                      (3, "|", None, None, None, -1, -1, 63))
_odd_parts = [
    None, True, 0, 1, -1, 10, 2**31, 2**80, 1.5, float("nan"), "", "labels", "data", "i1", "O8",
    "x" * 2_000, "\x1b[31m\nred", "\ud800", b"", b"labels", b"\xff" * 2_000, (), (3_072,),
    (N_PIXELS, N_PER_FILE), (-1, N_PIXELS), (2**62, 2**62), (True, N_PIXELS), ((((),),),),
    [], [3], [[]], ["3"] * N_PER_FILE, {}, {"a": 1}, Name("numpy", "ndarray"),
    Name("os", "system"), Name("os\x1b", "\n"), Call(Name("numpy", "dtype"), ()),
    Call(Name("_codecs", "encode"), ("x", "rot13")), _hostile_dtype,
]


def array_of(parts, style):
    "The array of pixels as NumPy has it pickled."
    package = style.package
    dtype = Call(Name("numpy", "dtype"), (parts["dtype"], False, True), parts["state"])
    if style.array == "frombuffer":
        arguments = parts["contents"], dtype, parts["shape"], parts.get("order", "C")
        return Call(Name(f"{package}.numeric", "_frombuffer"), arguments)
    state = parts["version"], parts["shape"], dtype, parts["fortran"], parts["contents"]
    reconstruct = Name(f"{package}.multiarray", "_reconstruct")
    return Call(reconstruct, (Name("numpy", "ndarray"), (0,), b"b"), state)


def batch_file(batch):
    "The bytes of a batch file."
    parts = dict(PARTS)
    if batch.odd:
        part, value = batch.odd
        parts[part] = value
    labels = parts["labels"]
    if labels is LABELS:
        labels = [*LABELS[:-1], parts["label"]]
    data = parts["data"] or array_of(parts, batch)
    items = [("data", data), (parts["key"], labels), ("batch_label", parts["extra"])]
    if batch.labels_first:
        items[:2] = reversed(items[:2])
    writer = Writer(batch)
    writer.many(items, "EMPTY_DICT", "SETITEM", "SETITEMS")
    writer.code("STOP")
    head, *rest = (bytes(part) for part in writer.parts)
    tail = b"".join(rest)
    head = edited(head, [edit for before, edit in batch.edits if before])
    tail = edited(tail, [edit for before, edit in batch.edits if not before])
    if not rest:                                         # no pixels are left
        return head + tail
    return head + (pixel_text() if batch.pixels == "TEXT" else pixel_bytes()) + tail


def stream_file(stream):
    "The bytes of a stream of opcodes."
    raw = b"\x80" + bytes([stream.protocol])
    for name, argument, times in stream.steps:
        raw += (CODES[name] + argument) * times
    return raw + b"."


def arguments_of(opcode):
    "A strategy for an opcode's argument, which may say that more follows than does."
    if opcode.arg is None:
        return st.just(b"")
    if opcode.arg.n >= 0:
        exact = st.binary(min_size=opcode.arg.n, max_size=opcode.arg.n)
        return st.one_of(st.just(bytes(opcode.arg.n)), exact)
    if opcode.name in LENGTHS:
        n_bytes = LENGTHS[opcode.name]
        honest = st.sampled_from([b"", b"data", b"labels", b"\xff", b"x" * 200])
        lies = st.binary(min_size=n_bytes, max_size=n_bytes)
        return st.one_of(honest.map(_with_length(n_bytes)), lies)
    lines = ["numpy\nndarray\n", "numpy\ndtype\n", "os\nsystem\n", "1\n", "x", "\n\n\n"]
    return st.sampled_from(lines).map(str.encode)


def _with_length(n_bytes):
    "A function that puts the length before some bytes."
    def lengthened(content):
        return len(content).to_bytes(n_bytes, "little") + content
    return lengthened


def steps_of(opcode):
    "A strategy for a step with this opcode."
    times = st.sampled_from([1, 1, 1, 2, 64, 100_000, 400_000])
    return st.tuples(st.just(opcode.name), arguments_of(opcode), times)


good_batches = {
    "protocol": st.integers(2, 5),
    "text": st.sampled_from(["SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8",
                             "SHORT_BINSTRING", "BINSTRING", "SHORT_BINBYTES"]),
    "number": st.sampled_from(["BININT1", "BININT2", "BININT", "LONG1"]),
    "pixels": st.sampled_from(["BINBYTES", "BINBYTES8", "BINSTRING", "BYTEARRAY8", "TEXT"]),
    "memo": st.sampled_from(["", "BINPUT", "LONG_BINPUT", "MEMOIZE"]),
    "stack_names": st.booleans(),
    "one_by_one": st.booleans(),
    "array": st.sampled_from(["reconstruct", "frombuffer"]),
    "package": st.sampled_from(["numpy.core", "numpy._core"]),
    "labels_first": st.booleans(),
}
_odd_part = st.tuples(st.sampled_from(list(PARTS)), st.sampled_from(_odd_parts))
_batch_edits = st.lists(st.tuples(st.booleans(), edits), min_size=1, max_size=3)
_steps = [steps_of(opcode) for opcode in pickletools.opcodes if opcode.name != "STOP"]
batches = st.one_of(
    st.builds(Batch, **good_batches, odd=st.none(), edits=st.just([])),
    st.builds(Batch, **good_batches, odd=_odd_part, edits=st.just([])),
    st.builds(Batch, **good_batches, odd=st.none(), edits=_batch_edits),
    st.builds(Stream, st.integers(0, 6), st.lists(st.one_of(_steps), max_size=12)),
    st.builds(Stream, st.integers(2, 5), st.lists(st.one_of(_steps), max_size=12)),
)
hostile_streams = [
    Stream(2, [("NONE", b"", 1), ("LONG_BINPUT", b"\x00\xc2\xeb\x0b", 1)]),
    Stream(2, [("EMPTY_TUPLE", b"", 1), ("TUPLE1", b"", 200_000)]),
    Stream(2, [("EMPTY_LIST", b"", 200_000), ("APPEND", b"", 199_999)]),
    Stream(2, [("MARK", b"", 400_000)]),
    Stream(4, [("FRAME", b"\xff" * 8, 1), ("BINBYTES8", b"\xff" * 8, 1)]),
]


def check_tensors(images, labels):
    "`Broken` unless these are a batch's pictures and labels."
    fits = (images.shape == (N_PER_FILE, 3, 32, 32) and images.dtype == torch.uint8
            and labels.shape == (N_PER_FILE,) and labels.dtype == torch.int64)
    if not fits or labels.min() < 0 or labels.max() > 9:
        raise Broken(f"{images.shape} of {images.dtype}, {labels.shape} of {labels.dtype}")


def check_batch(example):
    "A batch file is read or refused; an unchanged one is read, to its own pixels."
    raw = stream_file(example) if isinstance(example, Stream) else batch_file(example)
    read = refusable(parse_batch, raw, errors=(DataError,))
    if read is not None:
        check_tensors(*read)
    if isinstance(example, Batch) and not example.odd and not example.edits:
        if read is None:
            raise Broken("a good batch file was refused")
        images, labels = read
        if images.numpy().tobytes() != pixel_bytes() or labels.tolist() != LABELS:
            raise Broken("a good batch file gave other pictures or labels")


def fuzz_batches(trial, folder):
    "Batch files: those of all picklers, changed, and streams of opcodes."
    pixels = np.frombuffer(pixel_bytes(), np.uint8).reshape(N_PER_FILE, N_PIXELS)
    for protocol in range(2, 6):
        raw = pickle.dumps({"data": pixels, b"labels": LABELS}, protocol)
        images, _ = parse_batch(raw)
        assert images.numpy().tobytes() == pixel_bytes(), f"Python's protocol {protocol}"
    trial.run(check_batch, batches, fixed=hostile_streams)
