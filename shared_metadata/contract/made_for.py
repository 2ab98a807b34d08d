"""What a slice's stack is made for: a program that asks for more has to have it deployed again, or its functions are refused it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

from shared_metadata import naming
from shared_metadata.contract.declaration import Slice
from shared_metadata.contract.secrets.rotating_grant import OPTION
from shared_metadata.contract.tasks.run import FUNCTION, run_of
from shared_metadata.program import Call, Program

CHARACTERS = 8  # of an item's digest
MOST_ITEMS = 400  # a parameter has 4 KB: https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_PutParameter.html
_READS = {"organize": "collect.", "harness": "organize."}  # whose staged files a stage's functions read


def secrets(declaration: Slice, program: Program) -> tuple[str, ...]:
    """The secret references of the program's connections that a slice opens."""
    options = (program.connections[name].options for name in connections(declaration, program))
    return tuple(sorted({str(o["secret"]) for o in options if o.get("secret")}))


def connections(declaration: Slice, program: Program) -> tuple[str, ...]:
    """The names of the program's connections that a slice opens."""
    return tuple(sorted({f.connection for f in program.flows.values() if f.slice_id == declaration.id and f.connection}))


def rotating_secrets(declaration: Slice, program: Program) -> tuple[str, ...]:
    """The secrets of a slice whose grant is replaced at each use."""
    connections = program.connections.values()
    rotating = {str(c.options["secret"]) for c in connections if c.options.get(OPTION) is True and c.options.get("secret")}
    return tuple(name for name in secrets(declaration, program) if name in rotating)


def mask_keys(declaration: Slice, program: Program) -> tuple[str, ...]:
    """The secret references of the keys by which a slice hashes columns."""
    return tuple(sorted({f.mask_key for f in program.flows.values() if f.slice_id == declaration.id and f.mask_key}))


def staged_by(declaration: Slice, program: Program) -> tuple[str, ...]:
    """The slices of the program whose staged files a slice's functions read."""
    stage = _READS.get(declaration.stage)
    return tuple(name for name in program.slice_ids if stage and name.startswith(stage))


def warehouses(declaration: Slice, program: Program) -> tuple[str, ...]:
    """The names of the warehouses in which a slice works."""
    if declaration.stage != "organize":
        return ()
    return tuple(sorted(w.name for w in program.warehouses.values() if w.system == declaration.works_in))


def calls(declaration: Slice, program: Program) -> Iterator[tuple[Call, str]]:
    """The calls of functions in code that a slice runs, each with its flow."""
    for flow in program.flows.values():
        if flow.slice_id == declaration.id:
            yield from ((call, flow.id) for call in flow.calls)


def functions(declaration: Slice, program: Program) -> tuple[str, ...]:
    """The functions in code that a slice runs, each of which is one of Lambda's too, by name."""
    return tuple(sorted({call.function for call, _ in calls(declaration, program)}))


def tasks(declaration: Slice, program: Program) -> tuple[str, ...]:
    """The steps of a slice that the program may have run as tasks; none where it asks for no task."""
    asked = [run_of(program.warehouses[name].options) for name in warehouses(declaration, program)]
    if declaration.stage != "organize":
        asked = [run_of(program.connections[name].options) for name in connections(declaration, program)]
    return declaration.tasks if any(run != FUNCTION for run in asked) else ()


def digests(declaration: Slice, program: Program) -> list[str] | None:
    """What the stack says of itself once it is deployed; None where that would be too much."""
    found = [_digest(item) for item in _items(declaration, program)]
    return found if len(found) <= MOST_ITEMS else None


def not_made_for(declaration: Slice, program: Program, deployed: Mapping[str, Any]) -> list[str]:
    """What the program asks for that the deployed stack was not made for. Of one that does not say what it was made for, nothing."""
    known = deployed.get("made_for")
    return [item for item in _items(declaration, program) if known is not None and _digest(item) not in known]


def _items(declaration: Slice, program: Program) -> Iterator[str]:
    for name in (*secrets(declaration, program), *mask_keys(declaration, program)):
        yield f"the secret {naming.secret(name)}"
    for name in rotating_secrets(declaration, program):
        yield f"the rotating grant of the secret {naming.secret(name)}"
    for slice_id in staged_by(declaration, program):
        yield f"what {slice_id} stages"
    for name in tasks(declaration, program):
        yield f"a task for {name}"
    for call, flow in calls(declaration, program):
        yield f"the function {call.function} for {flow}"
        yield f"the function {call.function} as it is now ({_digest(f'{call.code} {sorted(call.options.items())}')})"
    for name in warehouses(declaration, program):
        yield f"the warehouse {name}"
        yield from _options(declaration, f"the warehouse {name}", program.warehouses[name].options)
    for name in connections(declaration, program) if declaration.stage != "organize" else ():
        yield from _options(declaration, f"the connection {name}", program.connections[name].options)


def _options(declaration: Slice, of: str, options: Mapping[str, Any]) -> Iterator[str]:
    for option in declaration.deployed_options:
        value = options.get(option)
        yield f"{f'the default of {option}' if value is None else f'{option} = {value}'}, of {of}"


def _digest(item: str) -> str:
    return hashlib.sha256(item.encode()).hexdigest()[:CHARACTERS]
