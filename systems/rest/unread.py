"""Leaves the records of an answer unread: they go to DuckDB as they are, and of a page Python seldom looks at more than the last."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import msgspec


class Unread(Sequence[Any]):
    """Records, each read when it is asked for."""

    def __init__(self, texts: Sequence[msgspec.Raw]) -> None:
        self._texts = texts

    def __len__(self) -> int:
        return len(self._texts)

    def __getitem__(self, at: Any) -> Any:
        return [*map(_read, self._texts[at])] if isinstance(at, slice) else _read(self._texts[at])

    def __iter__(self) -> Iterator[Any]:
        return map(_read, self._texts)


def unread(body: bytes, path: Sequence[str]) -> tuple[Any, bytes] | None:
    """A document of JSON in which the list at a path is unread, and that list's text.

    None where no list is there, or where the body is not JSON by the letter, which Python may read all the same.
    """
    import msgspec  # whatever reads no pages does without it

    texts: list[bytes] = []

    def parted(raw: Any, below: Sequence[str]) -> Any:
        if not below:
            texts.append(bytes(raw))
            return Unread(msgspec.json.decode(raw, type=list[msgspec.Raw]))
        fields = msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
        return {name: parted(one, below[1:]) if name == below[0] else _read(one) for name, one in fields.items()}

    try:
        document = parted(body, path)
    except msgspec.DecodeError:
        return None
    if texts:
        texts[0].decode()  # which nothing else looks at before DuckDB does
    return (document, texts[0]) if texts else None


def _read(raw: msgspec.Raw) -> Any:
    return json.loads(bytes(raw))
