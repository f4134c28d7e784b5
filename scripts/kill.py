"""Kill bnnedge train, sweep and export, all their processes at once, at random moments; see what they leave.

After each kill every file under its final name must be whole: of the bytes that an undisturbed command left,
or, where it changes as things go on, readable. No more drafts may lie about than were being written. Gone on
with to its end, all must be as the undisturbed command left it, of metrics.jsonl all but the seconds.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from importlib import import_module
from multiprocessing.process import BaseProcess
from pathlib import Path

from kill_subjects import SUBJECTS, Subject, write_study
from kill_traces import compare, drafts, see_that_all_is_whole

from bnnedge.cli import main as bnnedge

PROCESSES = multiprocessing.get_context("fork")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    verbs = sorted({subject.verb for subject in SUBJECTS})
    parser.add_argument("verbs", nargs="*", metavar="VERB", help=f"of {', '.join(verbs)} (default: all)")
    parser.add_argument("--kills", type=int, default=40, help="in all (default: 40)")
    parser.add_argument("--seed", type=int, default=0, help="of the moments (default: 0)")
    parser.add_argument("--jobs", type=int, default=20, help="of a sweep, an even number (default: 20)")
    options = parser.parse_args()
    if unknown := set(options.verbs) - set(verbs):
        parser.error(f"no verb {min(unknown)}: expected some of {', '.join(verbs)}")
    subjects = [one for one in SUBJECTS if one.verb in (options.verbs or verbs)]
    moments = random.Random(options.seed)  # noqa: S311
    for module in ("cli.train", "cli.sweep", "cli.export", "training.loop"):
        import_module(f"bnnedge.{module}")
    for place, subject in enumerate(subjects):
        kills = options.kills // len(subjects) + (place < options.kills % len(subjects))
        if kills:
            torment(subject, kills, moments, options.jobs)
    print(f"{options.kills} kills: nothing lost, nothing half under its name, the same bytes in the end")


def torment(subject: Subject, kills: int, moments: random.Random, jobs: int) -> None:
    """Kill one kind of command so many times."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        write_study(folder, jobs)
        alone, done, runs = folder / "alone", 0, 0
        seconds = finish(subject, alone)
        # So that about one run lives through all kills; where each begins anew, it may come at any moment.
        reach = 2 * seconds / kills if subject.goes_on else seconds
        while done < kills:
            runs += 1
            out = folder / f"killed-{runs}"
            ended, finished = False, dict[str, int]()
            while done < kills and not ended:
                killed = kill(subject, out, moments.uniform(0, reach))
                done += killed
                ended = not killed and subject.goes_on
                see_that_all_is_whole(alone, out, entire=not subject.goes_on)
                if (found := len(drafts(folder))) > subject.drafts:
                    sys.exit(f"{found} drafts lie about in {folder}, of at most {subject.drafts}")
                finished = subject.untouched(out, finished)
            finish(subject, out)
            subject.untouched(out, finished)
            compare(alone, out)
            if left := drafts(folder):
                sys.exit(f"left at the end: {', '.join(map(str, left))}")
            shutil.rmtree(out)
    print(f"{subject.name}: {done} kills in {runs} folders, same bytes in the end", flush=True)


def finish(subject: Subject, out: Path) -> float:
    """Run to the end; the seconds from the first write on."""
    process = begin(subject, out)
    begun = time.perf_counter()
    process.join()
    see_that_it_ended_well(subject, out, process)
    return time.perf_counter() - begun


def kill(subject: Subject, out: Path, seconds: float) -> bool:
    """Begin or go on, and SIGKILL it some seconds after its first write; whether that was before its end."""
    process = begin(subject, out)
    process.join(seconds)
    if process.is_alive() and process.pid is not None:
        os.killpg(process.pid, signal.SIGKILL)
        process.join()
        return True
    see_that_it_ended_well(subject, out, process)
    return False


def begin(subject: Subject, out: Path) -> BaseProcess:
    """Start a command, and wait for its first write."""
    before = subject.progress(out)
    process = PROCESSES.Process(target=perform, args=(subject.command(out), out.with_suffix(".stderr")))
    process.start()
    while process.is_alive() and subject.progress(out) == before:
        time.sleep(0.002)
    return process


def perform(arguments: list[str], stderr: Path) -> None:
    """The command line, in a group of processes of its own. Forked, for PyTorch takes seconds to import."""
    os.setsid()
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    os.dup2(os.open(stderr, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 2)
    sys.argv = ["bnnedge", *arguments]
    bnnedge()


def see_that_it_ended_well(subject: Subject, out: Path, process: BaseProcess) -> None:
    if process.exitcode:
        called = " ".join(["bnnedge", *subject.command(out)])
        sys.exit(f"{called} exited with {process.exitcode}:\n{out.with_suffix('.stderr').read_text()}")


if __name__ == "__main__":
    main()
