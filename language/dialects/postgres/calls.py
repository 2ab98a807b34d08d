"""Function calls: plain ones, aggregates with where they may stand, and windows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from language.dialects.postgres import catalogue
from language.dialects.postgres.call_places import mark_placed, misused
from language.dialects.postgres.catalogue import Function
from language.dialects.postgres.context import Context
from language.dialects.postgres.conversion import ANY_OF_ONE
from language.dialects.postgres.kinds import UNKNOWN, Kind
from language.dialects.postgres.operators import casts_remedy, condition
from language.dialects.postgres.parser import Node, Text, parse
from language.dialects.postgres.query import inner_nodes
from language.dialects.postgres.resolution import Call, find_function
from language.dialects.postgres.scope import Expr, Scope
from language.dialects.postgres.spelling import no_function
from language.sql.misplaced import is_date_part
from language.sql.query import BATCH_BOUNDS
from language.text.diagnostics import did_you_mean
from shared_metadata.program.lineage import Use


@dataclass(frozen=True)
class _Arguments:
    exprs: list[Expr]
    names: list[str]
    order: list[Expr]

    @property
    def all(self) -> list[Expr]:
        return [*self.exprs, *self.order]


def call(context: Context, scope: Scope, node: Node, inner: Node) -> Expr:
    written = [part["String"]["sval"] for part in inner["funcname"]]
    name, window = written[-1], inner.get("over")
    is_aggregate = any(function.kind == "a" for function in catalogue.functions(name)) and len(written) == 1
    if not catalogue.functions(name):
        inner = {**inner, "args": [given for given in inner.get("args", ()) if not _is_date_part(context, given)]}
    arguments = _arguments(context, scope, inner, "windowed" if window is not None else "aggregate" if is_aggregate else "")
    over = _over(context, scope, window) if window is not None else []
    parts = [*arguments.all, *_filter(context, scope, inner), *over]
    if name in BATCH_BOUNDS and len(written) == 1:
        return context.failed(node, f"{name}() belongs to queries of a warehouse", "CURSOR says what a batch collects", parts)
    if len(written) > 1 and written[0] != "pg_catalog":
        return context.untold(node, f"what `{'.'.join(written)}` returns cannot be told", parts)
    if not catalogue.functions(name) and not (name in catalogue.types() and len(parts) == 1):
        return context.failed(node, *_unknown(context, node, name), parts)
    return _resolved(context, scope, node, inner, name, arguments, parts)


def _is_date_part(context: Context, node: Node) -> bool:
    return "ColumnRef" in node and is_date_part(context.text.text, *context.places.of(node))


def _unknown(context: Context, node: Node, name: str) -> tuple[str, str]:
    """Cause and remedy for a call of no function; of one that another engine has, what says the same in functions that there are."""
    from language.dialects.postgres.misread import foreign

    cause, remedy = no_function(name)
    found = foreign(f"SELECT {context.text.text[slice(*context.places.of(node))]}", own=False)
    if found is None or not found.words.lower().startswith(name.lower()):
        return cause, remedy
    called = {each["funcname"][-1]["String"]["sval"] for each in inner_nodes(parse(Text(found.text)), "FuncCall")}
    return (cause, found.remedy) if all(map(catalogue.functions, called)) else (cause, remedy)


def _resolved(
    context: Context, scope: Scope, node: Node, inner: Node, name: str, arguments: _Arguments, parts: Sequence[Expr]
) -> Expr:
    given = arguments.exprs if not inner.get("agg_within_group") else arguments.all
    if any(part.kind is None for part in given):
        return _of_untold(context, scope, node, inner, name, given, parts)
    kinds = [part.kind.name for part in given if part.kind is not None]
    found = find_function(name, kinds, arguments.names, variadic=bool(inner.get("func_variadic")))
    if not isinstance(found, Call):
        if any(part.kind is not None and part.kind.is_own for part in given):
            return _of_untold(context, scope, node, inner, name, given, parts)
        return context.failed(node, *_refusal(context, name, given, found), parts)
    for part, taken in zip(given, found.arguments or (found.returns,), strict=False):
        context.read_as(part, taken)
    if found.function is None:
        return context.made(node, Kind(found.returns), ("call", name), parts)
    return _made(context, scope, node, inner, found, found.function, given, parts)


def _made(
    context: Context,
    scope: Scope,
    node: Node,
    inner: Node,
    found: Call,
    function: Function,
    given: Sequence[Expr],
    parts: Sequence[Expr],
) -> Expr:
    if (wrong := misused(inner, function)) is not None:
        return context.failed(node, *wrong, parts)
    unsettled = [p for declared, p in zip(found.candidate.arguments, given, strict=False) if declared in ANY_OF_ONE]
    if unsettled and all(part.kind == UNKNOWN for part in unsettled):
        remedy = f"write CAST({context.said(unsettled[0].place)} AS text)"
        return context.failed(node, f"`{function.name}` cannot tell the type of its argument", remedy, parts)
    if not found.returns:
        return context.untold(node, f"what `{function.name}` returns of these cannot be told", parts)
    made = context.made(node, _returned(found, function), ("call", function.name, _spelled(inner)), parts)
    made.untold = None
    made.tag = "set" if function.returns_set else ""
    if function.aggregate in ("o", "h"):
        made.reads = tuple(given[: len(inner.get("args", ()))])
    mark_placed(context, scope, node, inner, function, made)
    return made


def _returned(found: Call, function: Function) -> Kind:
    if found.returns == "record" and function.out_names:
        fields = tuple(zip(function.out_names, map(Kind, function.out_types), strict=True))
        return Kind("record", fields=fields)
    return Kind(found.returns)


def _spelled(inner: Node) -> tuple[object, ...]:
    """What tells two calls with the same arguments apart."""
    return tuple(bool(inner.get(name)) for name in ("agg_distinct", "agg_star", "agg_within_group", "over", "agg_filter"))


def _of_untold(
    context: Context, scope: Scope, node: Node, inner: Node, name: str, given: Sequence[Expr], parts: Sequence[Expr]
) -> Expr:
    """What a function returns for arguments whose types are not known: what it returns whatever it takes, if that is one type."""
    able = [
        f
        for f in catalogue.functions(name)
        if len(f.arguments) - f.defaults <= len(given) and (f.variadic or len(given) <= len(f.arguments))
    ]
    if not able:
        return context.failed(node, *_refusal(context, name, given, "none"), parts)
    returned = {function.returns for function in able}
    plain = len(returned) == 1 and catalogue.types()[able[0].returns].kind != "p"
    if plain:
        made = context.made(node, Kind(able[0].returns), ("call", name, _spelled(inner)), parts)
    elif all(part.kind is not None for part in given):
        made = context.untold(node, f"what `{name}` gives of {context.describe(given[0])} cannot be told", parts)
    else:
        made = context.made(node, None, ("call", name, _spelled(inner)), parts)
    if misused(inner, able[0]) is None:
        mark_placed(context, scope, node, inner, able[0], made)
    return made


def _refusal(context: Context, name: str, given: Sequence[Expr], found: str) -> tuple[str, str]:
    said = ", ".join(map(context.describe, given))
    known = catalogue.functions(name)
    counts = sorted({len(function.arguments) for function in known})
    able = [
        function
        for function in known
        if function.variadic or len(function.arguments) - function.defaults <= len(given) <= len(function.arguments)
    ]
    if not able:
        takes = " or ".join(map(str, counts[:4])) or "no"
        return f"`{name}` takes {takes} argument{'s' * (counts != [1])}, and this gives {len(given)}", "give as many as it takes"
    if found == "several":
        return f"`{name}` of {said} may mean several functions", casts_remedy(context, given, [f.arguments for f in able])
    return f"`{name}` does not take {said}", casts_remedy(context, given, [f.arguments for f in able])


# -- arguments


def _arguments(context: Context, scope: Scope, inner: Node, clause: str) -> _Arguments:
    exprs, names = [], []
    with scope.reading(clause or scope.clause):
        for each in inner.get("args", ()):
            if "NamedArgExpr" in each:
                names.append(each["NamedArgExpr"]["name"])
                exprs.append(context.expression(scope, each["NamedArgExpr"]["arg"]))
            else:
                exprs.append(context.expression(scope, each))
        order = [context.expression(scope, each["SortBy"]["node"]) for each in inner.get("agg_order", ())]
    if not inner.get("agg_within_group"):
        for expr in order:
            context.use(expr, Use.ORDER)
    return _Arguments(exprs, names, order)


def _filter(context: Context, scope: Scope, inner: Node) -> list[Expr]:
    if "agg_filter" not in inner:
        return []
    with scope.reading("filter"):
        found = context.expression(scope, inner["agg_filter"])
    condition(context, found)
    context.use(found, Use.FILTER)
    return [found]


def _over(context: Context, scope: Scope, window: Node) -> list[Expr]:
    """What a window partitions and orders by."""
    found: list[Expr] = []
    name = window.get("refname") or window.get("name")
    if name is not None:
        if name not in scope.windows:
            known = did_you_mean(name, scope.windows)
            context.problem(context.places.word(window), f"there is no window `{name}` here", known + "name it in a WINDOW clause")
        else:
            found += _over(context, scope, {key: value for key, value in scope.windows[name].items() if key != "name"})
    with scope.reading("window"):
        parts = context.expressions(scope, window.get("partitionClause", ()))
        parts += [context.expression(scope, each["SortBy"]["node"]) for each in window.get("orderClause", ())]
    for part in parts:
        context.use(part, Use.ORDER)
    return [*found, *parts]


def grouping(context: Context, scope: Scope, node: Node, inner: Node) -> Expr:
    parts = context.expressions(scope, inner["args"])
    made = context.made(node, Kind("int4"), ("grouping",), parts)
    made.tag, made.scope = "grouping", scope
    return made
