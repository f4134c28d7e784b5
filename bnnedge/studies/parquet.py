"""Tables as Parquet files, for those who go on with them in pandas, Polars or DuckDB."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence

from bnnedge.errors import ConfigError
from bnnedge.report.table import Cell, Table

__all__ = ["check_parquet", "to_parquet"]


def check_parquet() -> None:
    """See that the package which writes such files is there.

    Raises:
        ConfigError: it is not.
    """
    try:
        import pyarrow  # noqa: F401
    except ModuleNotFoundError as error:
        raise ConfigError(
            "--parquet needs the package pyarrow, which is not installed", "pip install 'bnnedge[parquet]'"
        ) from error


def to_parquet(table: Table) -> bytes:
    """The rows, a column of its own type each; null where there is no value."""
    import pyarrow
    import pyarrow.parquet

    columns = zip(*table.rows, strict=True) if table.rows else [() for _ in table.columns]
    arrays = {
        column.key: pyarrow.array(_one_type(cells))
        for column, cells in zip(table.columns, columns, strict=True)
    }
    stream = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table(arrays), stream)
    return stream.getvalue()


def _one_type(cells: Sequence[Cell]) -> list[Cell]:
    """Text where any cell is text, floats where any is a float, NaN as nothing."""
    there = [None if isinstance(cell, float) and math.isnan(cell) else cell for cell in cells]
    for kind in (str, float):
        if any(isinstance(cell, kind) for cell in there):
            return [None if cell is None else kind(cell) for cell in there]
    return there
