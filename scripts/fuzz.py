"""Feed hostile files to every reader, and print what became of them: a process a reader, one after the other.

Inputs are mutations of files that the product wrote (fuzz_readers.py), made by rules that know the formats
and, unless --blind, guided by atheris towards branches of ours that no input has reached yet. What a reader
must keep to is in fuzz_guard.py. A finding is kept beside the report, and the exit code is 1.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from fuzz_guard import FLOOR, SECONDS, TIMES
from fuzz_readers import READERS
from fuzz_worker import REPORT

from bnnedge.report.table import Column, Table

_PATIENCE = 30.0  # seconds without a sign of life, after which a worker is ended from outside
_COVERED = re.compile(r"cov: (\d+)")
_COLUMNS = (
    Column("reader", "reader"),
    Column("inputs", "inputs", ",d"),
    Column("read", "read", ",d"),
    Column("refusals", "kinds of\nrefusals", ",d"),
    Column("covered", "branches\ncovered", ",d"),
    Column("seconds", "seconds", ",.0f"),
    Column("slowest", "slowest\n(s)", ".2f"),
    Column("findings", "findings", ",d"),
)

WORK = Path(tempfile.gettempdir()) / "bnnedge-fuzz"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--inputs", type=int, default=200_000, help="in all (default: 200,000)")
    parser.add_argument("--readers", default=",".join(READERS), help="names, with commas (default: all)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, help="write the table there")
    parser.add_argument("--out", type=Path, default=WORK, help="corpora and findings")
    parser.add_argument("--blind", action="store_true", help="mutations alone, without atheris")
    options = parser.parse_args()
    names = [name.strip() for name in options.readers.split(",")]
    if unknown := set(names) - READERS.keys():
        parser.error(f"no reader {min(unknown)!r}; there are {', '.join(READERS)}")
    shares = sum(READERS[name].share for name in names)
    reports = []
    for name in names:
        inputs = -int(-options.inputs * READERS[name].share // shares)
        report = fuzz(name, inputs, options)
        reports.append({"reader": name, **report})
        print(f"{name}: {report['inputs']:,} inputs, {len(report['findings'])} findings", file=sys.stderr)
    print(table(reports))
    for report in reports:
        for what, where in report["findings"].items():
            print(f"{report['reader']}: {what}\n    {where}")
    if options.json:
        options.json.write_text(
            json.dumps({"schema": 1, "kind": "bnnedge.fuzz", "readers": reports}, indent=1)
        )
    sys.exit(any(report["findings"] for report in reports))


def fuzz(name: str, inputs: int, options: argparse.Namespace) -> dict[str, Any]:
    """The report of one reader's worker; a worker that died or got stuck is a finding of its own."""
    folder = options.out / re.sub(r"\W+", "-", name)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / REPORT).unlink(missing_ok=True)
    worker = str(Path(__file__).with_name("fuzz_worker.py"))
    mode = "blind" if options.blind else "guided"
    command = [sys.executable, worker, name, str(folder), str(inputs), str(options.seed), mode]
    log = folder / "log"
    with log.open("wb") as stream:
        environment = os.environ | {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
        process = subprocess.Popen(command, stdout=stream, stderr=stream, env=environment)
        stuck = not _ended(process, folder / REPORT)
    report = _report(folder)
    if stuck or not report["done"]:
        target = folder / "material" / READERS[name].file
        kept = folder / "findings" / "last"
        kept.parent.mkdir(exist_ok=True)
        kept.write_bytes(target.read_bytes() if target.is_file() else b"")
        what = (
            "hang in C"
            if stuck
            else f"died with {process.returncode}: {log.read_text(errors='replace')[-300:]}"
        )
        report["findings"] = report["findings"] | {what: str(kept)}
    covered = _COVERED.findall(log.read_text(encoding="utf-8", errors="replace"))
    return report | {"covered": int(covered[-1]) if covered else None}


def _ended(process: subprocess.Popen[bytes], sign: Path) -> bool:
    """Whether a process came to its end; one without a sign of life for too long is killed."""
    seen = time.monotonic()
    moment = 0.0
    while True:
        try:
            process.wait(1.0)
        except subprocess.TimeoutExpired:
            now = sign.stat().st_mtime if sign.exists() else 0.0
            if now != moment:
                seen, moment = time.monotonic(), now
            limit = _PATIENCE if moment else 10 * _PATIENCE  # the first sign waits for the seeds
            if time.monotonic() - seen > limit + 200 * SECONDS * (moment > 0):
                process.kill()
                process.wait()
                return False
        else:
            return True


def _report(folder: Path) -> dict[str, Any]:
    path = folder / REPORT
    if not path.exists():
        return {
            "inputs": 0,
            "read": 0,
            "refusals": 0,
            "slowest": 0.0,
            "seconds": 0.0,
            "findings": {},
            "done": False,
        }
    report: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return report


def table(reports: list[dict[str, Any]]) -> Table:
    """A row a reader, and one for all."""
    rows = [[len(row[c.key]) if c.key == "findings" else row[c.key] for c in _COLUMNS] for row in reports]
    sums = [sum(row[place] or 0 for row in rows) for place in range(1, len(_COLUMNS))]
    slowest = max((row[6] for row in rows), default=0.0)
    rows.append(["all", *sums[:3], None, sums[4], slowest, sums[6]])
    contract = (
        f"What is looked for: anything but a BnnedgeError; more than {SECONDS:g} s; more memory than "
        f"{TIMES} times the file and {FLOOR >> 20} MiB; a program started, a file outside read or written."
    )
    return Table("Hostile files", _COLUMNS, rows, notes=[contract])


if __name__ == "__main__":
    main()
