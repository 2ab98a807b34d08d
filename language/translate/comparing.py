"""What compares, groups and orders values: whether both dialects do it alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from language.sql.meanings.kinds import EXACT, FLOATS, ORDERED
from language.sql.scope import UNKNOWN
from shared_metadata.program.type_names import TypeName

if TYPE_CHECKING:
    from language.translate.expressions import Expressions


def comparable(expressions: Expressions, node: exp.Expr, *kinds: TypeName | None) -> bool:
    """Whether values of these types are compared alike; tells where they are not."""
    known = [kind for kind in kinds if kind is not None and kind != UNKNOWN]
    if len(known) < 2 or all(kind.word in EXACT for kind in known):
        return True
    if all(kind == known[0] for kind in known) and known[0].word in ORDERED:
        return True
    words = " and ".join(dict.fromkeys(map(str, known)))
    expressions.tell(node, f"values of {words} are not known to be compared alike", "CAST both to one type that is exact")
    return False


def groups(expressions: Expressions, node: exp.Expr, kind: TypeName | None) -> bool:
    """Whether rows are put together by such values alike; tells where they are not."""
    if kind is not None and kind.word not in (*ORDERED, "double") and kind != UNKNOWN:
        remedy = "put them together by what it is made from"
        expressions.tell(node, f"rows are not known to be put together alike by {kind}", remedy)
        return False
    return kind is not None


def ordered(expressions: Expressions, order: exp.Order) -> exp.Order | None:
    """ORDER BY with NULL where the first dialect has it; None where it was told why not."""
    made, sound = order.copy(), True
    for part, copied in zip(order.expressions, made.expressions, strict=True):
        if isinstance(part.this, exp.Literal) and not part.this.is_string:
            continue
        piece = expressions.written(part.this)
        copied.set("this", piece.node)
        if piece.kind is not None and piece.kind.word not in (*ORDERED, *FLOATS):
            remedy = "order by what it is made from"
            expressions.tell(part.this, f"rows are not known to be ordered alike by {piece.kind}", remedy)
            sound = False
        sound = sound and piece.kind is not None
    return made if sound else None
