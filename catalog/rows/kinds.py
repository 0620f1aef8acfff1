"""Kinds: the types of values in a row, with their text in leaves and JSON and their types in Arrow and SQL."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Kind:
    """The type of a field's values. The base class is text, which is written as it is.

    arrow: Arrow type, as the name of the pyarrow function that makes it.
    sql: DuckDB type.
    pattern: regular expression that a whole text in JSON matches; None: any text.
    is_text: whether it is a string in JSON.
    """

    arrow = "string"
    sql = "VARCHAR"
    is_text = True

    def __init__(self, pattern: str | None = None) -> None:
        self.pattern = pattern

    def text(self, value: Any) -> Any:
        """The canonical form of a value in JSON and in leaves: each value has exactly one."""
        return value

    def parse(self, text: Any) -> Any:
        """The value of a canonical form; raises ValueError for anything else."""
        if isinstance(text, str):
            return text
        raise ValueError(text)

    def sql_text(self, column: str) -> str:
        """An SQL expression for the text of a column."""
        return column


class Hash(Kind):
    """Bytes, as lower-case hex. sizes: allowed lengths, in bytes."""

    arrow = "binary"
    sql = "BLOB"

    def __init__(self, *sizes: int) -> None:
        super().__init__("|".join(f"[0-9a-f]{{{2 * size}}}" for size in sizes))
        self.sizes = sizes

    def text(self, value: Any) -> Any:
        return value.hex()

    def parse(self, text: Any) -> Any:
        value = bytes.fromhex(text if isinstance(text, str) else "?")
        if value.hex() != text or len(value) not in self.sizes:
            raise ValueError(text)
        return value

    def sql_text(self, column: str) -> str:
        """By DuckDB's own hex: a view is bound for each query, and binding our macro of that name takes longest."""
        return f"lower(system.main.hex({column})) COLLATE NOCASE"  # docs/adr/0038


class Count(Kind):
    """An unsigned 16-bit number, which is a number in JSON."""

    arrow = "uint16"
    sql = "USMALLINT"
    is_text = False

    def parse(self, text: Any) -> Any:
        if not isinstance(text, int) or isinstance(text, bool) or not 0 <= text < 1 << 16:
            raise ValueError(text)
        return text


class Bits(Kind):
    """An unsigned number of `bits` bits, as 0x-hex with `digits` digits; 0: as few digits as possible."""

    def __init__(self, bits: int, digits: int = 0) -> None:
        super().__init__(f"0x[0-9a-f]{{{digits}}}" if digits else f"0x(?:0|[1-9a-f][0-9a-f]{{0,{bits // 4 - 1}}})")
        self.arrow = f"uint{bits}"
        self.sql = {32: "UINTEGER", 64: "UBIGINT"}[bits]
        self._bits = bits
        self._format = f"#0{digits + 2}x" if digits else "#x"
        self._printf = f"0x%0{digits}x" if digits else "0x%x"

    def text(self, value: Any) -> Any:
        return format(value, self._format)

    def parse(self, text: Any) -> Any:
        value = int(text if isinstance(text, str) else "?", 16)
        if not 0 <= value < 1 << self._bits or self.text(value) != text:
            raise ValueError(text)
        return value

    def sql_text(self, column: str) -> str:
        return f"printf('{self._printf}', {column})"
