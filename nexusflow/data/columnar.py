"""Arrow tables to frames: every type becomes numbers, times, truth values or text, and no key is rounded."""

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

EXACT_IN_FLOAT = 2**53


def to_frame(table: pa.Table, *, copy: bool = True) -> tuple[pd.DataFrame, dict[str, str]]:
    """The frame, and by column a sentence on what had to be read as text.

    Without `copy` its columns lie where Arrow has them, cannot be written into, and take half the time.
    """
    columns, told = {}, {}
    for name, column in zip(table.column_names, table.columns, strict=True):
        plain = plain_column(column)
        if sentence := read_as_text(column.type, plain.type):
            told[name] = sentence
        columns[name] = _series(plain)
    return pd.DataFrame(columns, index=pd.RangeIndex(table.num_rows), copy=copy), told


def read_as_text(kind: pa.DataType, plain: pa.DataType) -> str | None:
    """A sentence where values of this type had to become text that is not how they were given."""
    if pa.types.is_nested(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        return f"holds {kind} values; they were read as text."
    if is_moment(kind) and pa.types.is_string(plain):
        return "holds times outside the years 1678 to 2261; they were read as text."
    return None


def is_moment(kind: pa.DataType) -> bool:
    """Whether these are dates or times."""
    return bool(pa.types.is_date(kind) or pa.types.is_timestamp(kind))


def plain_column(column: pa.ChunkedArray, *, moments_as_text: bool = False) -> pa.ChunkedArray:
    """The column as numbers, truth values, text, or times in nanoseconds where they fit and may."""
    kind = column.type
    if isinstance(kind, pa.BaseExtensionType):
        storage = pa.chunked_array([c.storage for c in column.chunks], type=kind.storage_type)
        return plain_column(storage, moments_as_text=moments_as_text)
    if pa.types.is_dictionary(kind):
        return plain_column(column.cast(kind.value_type), moments_as_text=moments_as_text)
    if is_moment(kind):
        return column.cast(pa.string()) if moments_as_text else _timestamps(column)
    if pa.types.is_decimal(kind) or pa.types.is_float16(kind):
        return column.cast(pa.float64())
    if pa.types.is_duration(kind):
        return pc.divide(column.cast(pa.duration("ns"), safe=False).cast(pa.int64()).cast(pa.float64()), 1e9)
    if pa.types.is_null(kind) or pa.types.is_time(kind) or pa.types.is_string_view(kind):
        return column.cast(pa.string())
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind):
        return column
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return column
    return pa.chunked_array([[None if v is None else _text(v) for v in column.to_pylist()]], type=pa.string())


def _text(value: object) -> str:
    return value.decode("utf-8", errors="replace") if isinstance(value, bytes) else str(value)


def _timestamps(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """To nanoseconds without a zone where they fit, else to text."""
    try:
        zoned = pa.types.is_timestamp(column.type) and column.type.tz is not None
        return column.cast(pa.timestamp("ns", tz="UTC" if zoned else None)).cast(pa.timestamp("ns"))
    except pa.ArrowInvalid:
        return column.cast(pa.string())


def _series(column: pa.ChunkedArray) -> pd.Series:
    kind = column.type
    if pa.types.is_integer(kind) and column.null_count and _is_large(column):
        # As floats, as pandas would have them, keys this long would fall together.
        nullable = pd.Int64Dtype() if pa.types.is_signed_integer(kind) else pd.UInt64Dtype()
        return column.to_pandas(types_mapper=lambda _: nullable)
    return column.to_pandas()


def _is_large(column: pa.ChunkedArray) -> bool:
    ends = pc.min_max(column)
    return max(abs(ends["min"].as_py() or 0), abs(ends["max"].as_py() or 0)) > EXACT_IN_FLOAT
