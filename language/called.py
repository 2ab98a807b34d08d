"""Calls of functions in code, as a plan has them."""

from __future__ import annotations

from language.forms.resolved import Call as Resolved
from language.forms.resolved import Publish, View
from language.sql.edits import placed
from shared_metadata.contract.declaration import declared
from shared_metadata.program import Call


def calls(statement: View | Publish) -> tuple[Call, ...]:
    return tuple(_call(call, statement.organizer.code_of) for call in statement.calls)


def _call(call: Resolved, code_of: str) -> Call:
    function = call.function
    options = {option.key: option.value for option in function.options}
    return Call(
        table=call.table,
        function=function.name.folded,
        language=function.language.folded,
        options=options,
        query=call.sql,
        takes=call.takes,
        returns=call.returns,
        position=str(function.name.span.position),
        places=placed(call.query.span, call.edits, call.places),
        code=declared(code_of)(options) if code_of else "",
    )
