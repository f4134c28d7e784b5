"""Tables as objects: one set of rows, printed for people, as CSV or as Markdown."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

__all__ = ["Cell", "Column", "Table"]

Cell = str | int | float | None


@dataclass(frozen=True)
class Column:
    """One column.

    Attributes:
        key: name in CSV, with the unit where there is one.
        header: what people read; may have two lines.
        format: format specification of numbers, such as ``,d`` or ``.3f``.
        prose: width that text is wrapped to, left-aligned; 0 for a column of figures or names.
    """

    key: str
    header: str
    format: str = ""
    prose: int = 0

    def show(self, cell: Cell) -> str:
        """The cell as people read it; a value that is not there is a dash."""
        if cell is None or (isinstance(cell, float) and math.isnan(cell)):
            return "–"
        if isinstance(cell, str):
            return cell
        return format(cell, self.format).replace("-", "−")


@dataclass(frozen=True)
class Table:
    """Rows under columns, with a title, an optional row of totals, and notes below.

    Attributes:
        title: one line.
        columns: the columns, in order.
        rows: cells by column, unrounded; None or NaN where there is no value.
        total: a last row, set apart.
        notes: lines under the table.
    """

    title: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    total: Sequence[Cell] | None = None
    notes: Sequence[str] = ()

    def __str__(self) -> str:
        """Plain text, as wide as it needs to be."""
        table = RichTable(box=SIMPLE_HEAD, show_footer=False, pad_edge=False)
        for position, column in enumerate(self.columns):
            left = position == 0 or column.prose
            table.add_column(
                Text(column.header),
                justify="left" if left else "right",
                no_wrap=not column.prose,
                max_width=column.prose or None,
            )
        for row in self.rows:
            table.add_row(*self._shown(row))
        if self.total is not None:
            table.add_section()
            table.add_row(*self._shown(self.total))
        stream = io.StringIO()
        Console(file=stream, width=240, color_system=None, legacy_windows=False).print(table)
        lines = [line.rstrip() for line in stream.getvalue().splitlines()]
        body = [line for line in lines if line]
        return "\n".join([self.title, "", *body, *(["", *self.notes] if self.notes else [])])

    def csv(self) -> str:
        """Comma-separated values with a header of keys; numbers unrounded, empty where there is no value."""
        stream = io.StringIO()
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow([column.key for column in self.columns])
        for row in self.all_rows:
            missing = [cell is None or (isinstance(cell, float) and math.isnan(cell)) for cell in row]
            writer.writerow(["" if gone else cell for cell, gone in zip(row, missing, strict=True)])
        return stream.getvalue()

    def markdown(self) -> str:
        """A Markdown table."""
        headers = [column.header.replace("\n", " ") for column in self.columns]
        rules = ["---", *["---:"] * (len(self.columns) - 1)]
        body = [self._shown(row) for row in self.all_rows]
        return "".join(f"| {' | '.join(cells)} |\n" for cells in [headers, rules, *body])

    @property
    def all_rows(self) -> list[Sequence[Cell]]:
        """The rows and, last, the total."""
        return [*self.rows, *([self.total] if self.total is not None else [])]

    def _shown(self, row: Sequence[Cell]) -> list[str]:
        return [column.show(cell) for column, cell in zip(self.columns, row, strict=True)]
