"""Writes docs/targets.md out of what the harness slices declare."""

from __future__ import annotations

from pathlib import Path

from console.limits import ADDED, ARRIVE, BY_KEY, FOUND, ONE_BY_ONE, TRANSACTION, arrive
from shared_metadata.contract.declaration import Capabilities, Slice, declared
from shared_metadata.program import Mode
from slices.registry import installed

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "targets.md"
HEAD = f"""# Targets

What a program publishes to (`INSERT INTO <connection>… AS SELECT …`), and what each is sure to hold. This page is made from the
declarations of slices; a test holds it to them. What each takes for a type, what has to be granted, what it costs: in its README.

How rows arrive, as `atoll plan` says it of each publication:

- **as a whole**: {TRANSACTION}. Nobody sees half of it, and of one that fails there is nothing.
- **row by row**: {ONE_BY_ONE}. Nothing older replaces what is newer.
- **by their key**: {FOUND}.
- **by the request's key**: {BY_KEY}.
- **at least once**: {ADDED}.

A batch that is run again ends in all of them as its last result says: with REPLACE, and with MERGE of a whole result, what is gone
from the result is gone from the target; with APPEND its own rows are replaced, or told as deleted, and no others', or it is refused
where nothing that was added is taken back. A MERGE by a window of `batch_start()` and `batch_end()` writes the window's rows and
deletes none. What others have written under keys of their own stays, but for REPLACE.

"""
MEANT = dict(zip(ARRIVE, ("as a whole", "row by row", "by their key", "by the request's key", "at least once"), strict=True))
COLUMNS = ("target", "modes", "rows arrive", "bad rows", "before anything runs, `check` compares", "signs in by")


def page() -> str:
    rows = [COLUMNS, ("---",) * len(COLUMNS), *map(_row, publishing())]
    return HEAD + "".join(f"| {' | '.join(row)} |\n" for row in rows)


def publishing() -> list[Slice]:
    """The harness slices, by their names."""
    return sorted((one for one in installed().values() if one.stage == "harness"), key=lambda one: one.system)


def _row(slice_: Slice) -> tuple[str, ...]:
    able = slice_.capabilities
    modes = ", ".join(mode for mode in Mode if mode in able.modes)
    bad = "set aside, where the program tolerates them" if able.rejects_rows else "there are none: it takes every value"
    compared = "nothing: it has no columns of its own"
    if slice_.discovers:
        compared = "its key and the types of that" if able.open_columns else "all columns and their types"
    signs_in = "a secret" if "secret" in declared(slice_.config).model_fields else "the functions' roles"
    readme = f"../slices/harness/{slice_.system}/README.md"
    return f"[{slice_.system}]({readme})", modes, _arrives(able), bad, compared, signs_in


def _arrives(able: Capabilities) -> str:
    """How rows arrive; of each mode where that differs."""
    how = {mode: MEANT[arrive(able, mode)] for mode in Mode if mode in able.modes}
    return next(iter(how.values())) if len({*how.values()}) == 1 else ", ".join(f"{m}: {said}" for m, said in how.items())
