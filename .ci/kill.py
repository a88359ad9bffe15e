"""Trainings that are killed again and again come to the same weights, and leave nothing behind.

    python .ci/kill.py

Kills `cifar-course train` at moments that are spread over its life, goes on with the same
command or with --resume until it is done, and compares what came out with an undisturbed run,
bit by bit. Most moments are steps in which a run touches its folder: so the middle of every
write is among them. The others are seconds. As PyTorch takes longer to load than such a run to
train, it is loaded once and each run is a fork; one more run is killed in processes of its own.
Prints each fault with what led to it, then one line, and fails if there is a fault."""
import os
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path

import torch

import cifar_course.lab.page  # noqa: F401 (so that no fork has to load it)
from cifar_course import cli
from cifar_course.data import sources
from cifar_course.data.standin import load_standin
from cifar_course.lab.catalogue import RECIPES
from cifar_course.lab.files import read_history, read_metrics
from cifar_course.lab.registries import check_recipe
from cifar_course.training import read_tensors

TRAIN = (
    "train", "--quiet", "--threads", "1", "--epochs", "6",
    "--set", "hidden_sizes=[8]", "--set", "n_train=400", "--set", "batch_size=64",
)
LAST_START = 35                                          # seconds; no chain begins later
PATIENCE = 60                                            # seconds, until we say that one hangs
IN_BETWEEN = (                                           # a run is killed before each of these
    "os.rename .checkpoint.pt",
    "os.rename .metrics.json",
    "os.remove checkpoint.pt",
    "os.remove run.json",
    "os.rename .report.html",
)
N_CHAINS = 9                                             # runs that are killed at other steps
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGKILL, signal.SIGINT)        # of each
BY_THE_CLOCK = (                                         # runs: (seconds, signal) each
    ((.04, signal.SIGKILL), (.12, signal.SIGTERM), (.2, signal.SIGKILL)),
    ((.08, signal.SIGINT), (.16, signal.SIGKILL), (.6, signal.SIGKILL)),
)
OF_PROCESSES = ((1., signal.SIGKILL), (9., signal.SIGTERM))


class Touches:
    "Counts the steps in which this process touches a folder, and kills it at one of them."
    def __init__(
        self,
        folder,
        log,                                             # file that gets a line per step
        last,                                            # step; None: it lives
        number,                                          # of the signal
    ):
        self.folder, self.log = str(folder), log
        self.last, self.number = last, number
        self.n = 0

    def __call__(self, event, arguments):
        "What Python calls before it opens, renames or removes a file, and at other events."
        if not any(self.folder in str(argument) for argument in arguments[:2]):
            return
        self.n += 1
        print(event, Path(arguments[0]).name, file=self.log, flush=True)
        if self.n == self.last:
            os.kill(os.getpid(), self.number)


def beside(folder, ending):
    "A file of ours about a run."
    return folder.with_name(folder.name + ending)


def run_here(words, folder, last, number):
    "In a fork: run a command to its exit status, or to the step at which it is killed."
    status = 1
    try:
        with open(beside(folder, ".said"), "w") as said:
            os.dup2(said.fileno(), 1)
            os.dup2(said.fileno(), 2)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        touched = open(beside(folder, ".touched"), "w")
        sys.addaudithook(Touches(folder, touched, last, number))
        sys.argv = ["cifar-course", *words]
        cli.program()
    except SystemExit as error:
        status = error.code
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)


def run_fork(words, folder, moment=None, number=None):
    """Run a command in a fork; its exit status, below 0 where the signal ended it.

    The moment is a step, or the seconds after the first step."""
    by_the_clock = isinstance(moment, float)
    touched = beside(folder, ".touched")
    touched.write_text("")
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        run_here(words, folder, None if by_the_clock else moment, number)
    latest = time.monotonic() + PATIENCE
    kill_at = None
    while True:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        now = time.monotonic()
        if by_the_clock and kill_at is None and touched.stat().st_size:
            kill_at = now + moment
        if kill_at is not None and now > kill_at:
            os.kill(pid, number)
            kill_at = latest
        if now > latest:
            os.kill(pid, signal.SIGABRT)
        time.sleep(.005)


def run_process(words, folder, moment=None, number=None):
    "The same with `python -m cifar_course`; the moment is in seconds after its start."
    command = [sys.executable, "-m", "cifar_course", *words]
    with open(beside(folder, ".said"), "w") as said:
        process = subprocess.Popen(command, stdout=said, stderr=said)
        try:
            return process.wait(moment or PATIENCE)
        except subprocess.TimeoutExpired:
            process.send_signal(number or signal.SIGABRT)
            return process.wait()


def next_words(folder, resume):
    "The command that goes on with what is in a run's folder; None where all is done."
    names = {path.name for path in folder.glob("*")}
    is_unfinished = "run.json" in names or "checkpoint.pt" in names
    if is_unfinished and resume:
        return ["train", "--quiet", "--threads", "1", "--resume", str(folder)]
    if is_unfinished or "metrics.json" not in names:
        return [*TRAIN, "--out", str(folder)]
    if "report.html" not in names:                       # killed while it was drawn
        return ["report", str(folder)]
    return None


class Chain:
    "A run that is killed and gone on with until it is done."
    def __init__(self, run, folder):
        self.run, self.folder = run, folder              # a function as `run_fork`
        self.n_kills = 0
        self.told = []                                   # a line for each command

    def go(self, moments):
        "Kill it at the moments (step or seconds, signal), then let it end; did it?"
        for n in range(len(moments) + 4):
            words = next_words(self.folder, resume=n % 2)
            if words is None:
                return True
            moment = moments[n] if n < len(moments) else ()
            status = self.run(words, self.folder, *moment)
            self.tell(words, moment, status)
            expected = (0, 130, -moment[1]) if moment else (0,)
            if status not in expected:
                self.told.append(beside(self.folder, ".said").read_text().strip()[-500:])
                return False
            self.n_kills += status != 0
        return False

    def tell(self, words, moment, status):
        "Remember what happened."
        what = f"{words[0]} --resume" if "--resume" in words else words[0]
        how = f"{moment[1].name} at {moment[0]}" if moment else "not killed"
        self.told.append(f"{what}: {how}, exit status {status}")

    def check(self, moments, undisturbed):
        "Kill it at the moments, and print what is wrong with what comes out; is all well?"
        wrong = ["it does not go on to its end"]
        if self.go(moments):
            wrong = differences(self.folder, undisturbed)
        if wrong:
            print(f"{self.folder.name}: {'; '.join(wrong)}")
            for line in self.told:
                print(f"    {line}")
        return not wrong


def differences(folder, undisturbed):
    "A line for each thing in a finished run that is not as in the undisturbed one."
    ours, theirs = (sorted(os.listdir(place)) for place in (folder, undisturbed))
    if ours != theirs:
        return [f"it holds {', '.join(ours)}"]
    found = []
    if read_metrics(folder)["matrix"] != read_metrics(undisturbed)["matrix"]:
        found.append("another confusion matrix")
    ours, theirs = (read_history(place / "history.csv") for place in (folder, undisturbed))
    for row in [*ours, *theirs]:
        row["seconds"] = 0
    if ours != theirs:
        found.append("another history")
    ours, theirs = (read_tensors(place / "model.pt") for place in (folder, undisturbed))
    for name, value in theirs["weights"].items():
        if not torch.equal(ours["weights"][name], value):
            found.append(f"other weights {name}")
    return found


def all_moments(steps):
    "The moments (step or seconds, signal) at which each of the runs is killed."
    plans = [*BY_THE_CLOCK]
    for step in IN_BETWEEN:
        found = [n for n, line in enumerate(steps, 1) if line.startswith(step)]
        if not found:
            raise SystemExit(f"no run has the step {step!r} any more: correct IN_BETWEEN")
        plans.append([(found[0], signal.SIGKILL)])
    # those far from each other first: a slow machine does not come to all
    for i in [*range(0, N_CHAINS, 2), *range(1, N_CHAINS, 2)]:
        moments = []
        for j, number in enumerate(SIGNALS):
            share = (j + i / N_CHAINS) / len(SIGNALS)
            moments.append((1 + int(share * len(steps)), number))
        plans.append(moments)
    return plans


def check_processes(folder, undisturbed):
    "In a fork, as the others go on meanwhile: the chain of processes of their own."
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            is_well = Chain(run_process, folder / "processes").check(OF_PROCESSES, undisturbed)
            status = int(not is_well)
        finally:
            sys.stdout.flush()
            os._exit(status)
    return pid


def kill_all(folder, start):
    "How many runs were killed how often, and how many of them are not well."
    undisturbed = folder / "undisturbed"
    if run_fork(next_words(undisturbed, resume=False), undisturbed) != 0:
        print(beside(undisturbed, ".said").read_text())
        return 0, 0, 1
    steps = beside(undisturbed, ".touched").read_text().splitlines()
    processes = check_processes(folder, undisturbed)
    n_runs, n_kills, n_wrong = 0, 0, 0
    for moments in all_moments(steps):
        if time.monotonic() - start > LAST_START:
            break
        chain = Chain(run_fork, folder / f"run-{n_runs}")
        n_wrong += not chain.check(moments, undisturbed)
        n_runs += 1
        n_kills += chain.n_kills
    _, status = os.waitpid(processes, 0)
    n_wrong += status != 0
    return n_runs + 1, n_kills + len(OF_PROCESSES), n_wrong


def main():
    start = time.monotonic()
    torch.set_num_threads(1)
    check_recipe(RECIPES["quick"])                       # loads what PyTorch loads late
    data = load_standin()

    def drawn():
        "The stand-in, which is drawn once for all forks."
        return data

    sources.load_standin = drawn
    with tempfile.TemporaryDirectory() as name:
        n_runs, n_kills, n_wrong = kill_all(Path(name).resolve(), start)
    seconds = time.monotonic() - start
    print(f"{n_kills} kills in {n_runs} runs, {seconds:.0f} s: "
          f"{n_runs - n_wrong} came to the same bits and left nothing behind")
    return int(n_wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
