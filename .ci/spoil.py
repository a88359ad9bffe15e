"""What `fuzz.py` tries with: changes of files, a trial of a check, and a child to try in."""
import contextlib
import json
import os
import resource
import signal
import sys
import time
import traceback
import warnings
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cifar_course.data.batches import MOST_SAID
from cifar_course.data.dataset import DataError

MOST_MEMORY = 1_500_000_000                              # bytes, beyond what we start with
MOST_SECONDS = 2                                         # of the processor, for one call
PATIENCE = 120                                           # seconds more until we call it a hang


# ---- trying

class Broken(AssertionError):
    "A promise that was not kept."


class TimeIsUp(BaseException):
    "Hypothesis lets it pass, for it is no Exception."


def check_message(message, names=(), most=3 * MOST_SAID):
    "`Broken` unless a message is one line of a bearable length, and has one of the names."
    if not message or not message.isprintable():
        raise Broken(f"not one line that can be printed: {message!r}")
    if len(message) > most:
        raise Broken(f"{len(message)} characters: {message!r}")
    if names and not any(name in message for name in names):
        raise Broken(f"does not name the file: {message!r}")


def refusable(call, *arguments, **about_the_message):
    "What a call gives, None where it refuses in one line; any other error is passed on."
    start = time.process_time()
    result = None
    try:
        result = call(*arguments)
    except (ValueError, DataError) as error:
        if type(error) not in (ValueError, DataError):   # a UnicodeDecodeError, for example
            raise
        if isinstance(error.__cause__, MemoryError):
            raise Broken("it took too much memory") from error
        check_message(str(error), **about_the_message)
    if time.process_time() - start > MOST_SECONDS:
        raise Broken(f"{call.__name__} takes too long")
    return result


class Trial:
    "Tries a check on examples until the time is up; keeps the smallest that breaks it."
    def __init__(self, folder, seconds):
        self.folder = folder
        self.end = time.monotonic() + seconds
        self.n = 0
        self.fault = None                                # (example, traceback)

    def attempt(self, check, example):
        "The check on one example, which stands in a file in case we do not survive."
        if time.monotonic() > self.end:
            raise TimeIsUp
        self.n += 1
        text = ascii(example)
        (self.folder / "last").write_text(text[:2000])
        try:
            check(example)
        except Exception:
            if self.fault is None or len(text) < len(self.fault[0]):
                self.fault = text, traceback.format_exc()
            raise

    def run(self, check, strategy, fixed=()):
        "The fixed examples, then as many others as time allows."
        @settings(max_examples=5000, derandomize=True, database=None, deadline=None,
                  suppress_health_check=list(HealthCheck))
        @given(strategy)
        def tried(example):
            self.attempt(check, example)

        try:
            for example in fixed:
                self.attempt(check, example)
            tried()
        except TimeIsUp:
            pass
        except Exception:
            if self.fault is None:                       # it is Hypothesis' own
                raise


# ---- changing bytes, and trees of values

places = st.one_of(st.integers(0, 300), st.integers(-300, -1), st.integers(0, 2**31))
flips = st.tuples(st.just("flip"), places, st.integers(0, 7))
edits = st.one_of(
    flips,
    st.tuples(st.just("cut"), places, st.none()),
    st.tuples(st.just("drop"), places, st.integers(1, 40)),
    st.tuples(st.just("put"), places, st.binary(min_size=1, max_size=8)),
)
some_edits = st.lists(edits, min_size=1, max_size=3)


def edited(raw, changes):
    "Bytes with a few edits; a place beyond the end is counted from the start again."
    raw = bytearray(raw)
    for what, place, detail in changes:
        at = place % max(len(raw), 1)
        if what == "flip" and raw:
            raw[at] ^= 1 << detail
        elif what == "cut":
            del raw[at:]
        elif what == "drop":
            del raw[at:at + detail]
        elif what == "put":
            raw[at:at] = detail
    return bytes(raw)


MISSING, DEEP = "\0missing", "\0deep"                    # the key is taken away; lists in lists
# No free text: a name of a folder, such as /, would be read for its pictures.
odd_values = st.sampled_from([
    None, True, False, 0, 1, 2, 3, 7, 10, 50, -1, 2**31, 2**63 - 1, 2**63, 10**400,
    0., 1., .5, 1e-320, -.5, 1.5, 1e308, float("nan"), float("inf"),
    "", "1", "nan", "no such name", "two\nlines", "\x1b[31mred", "\u2028", "\ud800", "\0",
    "$(x)", "$x^$", "<b>", "{{ 7 * 7 }}", "é" * 5_000, MISSING, DEEP,
    [], [[]], [None], [1, 2], [.5] * 10, ["relu"], [[0, 1], [1]], {}, {"": 0},
])


def paths_in(tree, above=()):
    "The places in nested dictionaries and lists; of a list, the first and the last."
    keys = tree.keys() if isinstance(tree, dict) else ()
    if isinstance(tree, (list, tuple)) and tree:
        keys = sorted({0, len(tree) - 1})
    found = []
    for key in keys:
        found += [(*above, key), *paths_in(tree[key], (*above, key))]
    return found


def changed(tree, path, value):
    "A copy of the tree with another value at the path, or without what is there."
    if not path:
        return value
    first, *rest = path
    copy = dict(tree) if isinstance(tree, dict) else list(tree)
    if not rest and isinstance(value, str) and value == MISSING:
        del copy[first]
    else:
        copy[first] = changed(copy[first], rest, value)
    return tuple(copy) if isinstance(tree, tuple) else copy


def with_changes(tree, changes):
    "A copy with all changes, but for those whose place an earlier one took away."
    for path, value in changes:
        with contextlib.suppress(LookupError, TypeError, ValueError):
            tree = changed(tree, path, value)
    return tree


def changes_of(tree, values=odd_values):
    "One to three changes of a tree."
    change = st.tuples(st.sampled_from(paths_in(tree)), values)
    return st.lists(change, min_size=1, max_size=3)


def tree_in(file, raw):
    "What a file holds, as a tree."
    if file.endswith(".json"):
        return json.loads(raw)
    return [line.split(",") for line in raw.decode().splitlines()]


def spoilt(file, raw, kind, what):
    "The bytes of a file after damage to its bytes, or to the values in it."
    if kind == "bytes":
        return edited(raw, what)
    tree = with_changes(tree_in(file, raw), what)
    if file.endswith(".json"):
        deep = "[" * 20_000 + "]" * 20_000
        return json.dumps(tree).replace('"\\u0000deep"', deep).encode()
    rows = [",".join(map(str, row)) if isinstance(row, list) else str(row) for row in tree]
    return "\n".join(rows).encode("utf-8", "surrogatepass")


def damages(file, raw):
    "(file, kind, what) of damage to a JSON or CSV file."
    in_values = st.tuples(st.just(file), st.just("values"), changes_of(tree_in(file, raw)))
    in_bytes = st.tuples(st.just(file), st.just("bytes"), some_edits)
    return st.one_of(in_values, in_values, in_bytes)


# ---- in a child

def bound_memory():
    "From now on the process gets `MOST_MEMORY` more, where the system can say that."
    statm = Path("/proc/self/statm")
    if statm.exists():
        now = int(statm.read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (now + MOST_MEMORY, now + MOST_MEMORY))


def work(name, function, seconds, folder):
    "Try, tell, and leave: with 0, or with 1 where there is a fault."
    status = 1
    try:
        os.dup2(os.open(folder / "said", os.O_CREAT | os.O_WRONLY), 2)     # by libraries
        warnings.simplefilter("ignore")                  # of what we do, not of what we test
        bound_memory()
        trial = Trial(folder, seconds)
        function(trial, folder)
        print(f"{name}: {trial.n:,} examples")
        if trial.fault:
            example, told = trial.fault
            print(f"{told}    {example[:1500]}")
        status = int(trial.fault is not None)
    except BaseException:
        traceback.print_exc(file=sys.stdout)
    finally:
        sys.stdout.flush()
        os._exit(status)


def in_child(name, function, seconds, folder):
    "Run a target's function in a child; is all well?"
    folder.mkdir()
    sys.stdout.flush()
    latest = time.monotonic() + seconds + PATIENCE
    pid = os.fork()
    if pid == 0:
        work(name, function, seconds, folder)
    ended, status = 0, 0
    while not ended:
        time.sleep(.05)
        ended, status = os.waitpid(pid, os.WNOHANG)
        if not ended and time.monotonic() > latest:
            os.kill(pid, signal.SIGKILL)
    code = os.waitstatus_to_exitcode(status)
    if code < 0:                                         # SIGKILL: it was we
        last = (folder / "last").read_text()
        print(f"{name}: hung or crashed, {signal.Signals(-code).name}:\n    {last}")
    return code == 0
