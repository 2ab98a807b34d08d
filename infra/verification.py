"""What verifies in the account itself: a function, and a state machine by which an operator starts it and which lets it go on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from constructs import Construct

from infra.atoll_stack import AtollStack
from infra.bundling import Bundle
from infra.functions import AtollFunction, FunctionSettings
from infra.machines import machine_role, state_machine
from infra.places import Places
from infra.workflows import verify_workflow
from shared_metadata import naming
from shared_metadata.contract import landed
from shared_metadata.store.access import VERIFY

MEMORY_MB, TMP_MB, TIMEOUT_SECONDS = 512, 4096, 900  # on disk are the events of two days, tens of bytes each
NOTES = "the notes of a verification, which are of this function alone"


class Verification(Construct):
    """landing: the slices whose `landed` functions it asks; reserved: how many of it may run at once.

    It stays out of a VPC: it calls AWS only, and an endpoint of Lambda's costs money every hour.
    """

    def __init__(self, stack: AtollStack, bundle: Bundle, landing: Sequence[str], reserved: int | None) -> None:
        super().__init__(stack, "Verification")
        places = Places(stack)
        functions = [places.function(naming.function(name, landed.STEP)) for name in landing]
        wanted = FunctionSettings(
            naming.VERIFY,
            "conductor.verifier.verify",
            bundle,
            MEMORY_MB,
            TIMEOUT_SECONDS,
            TMP_MB,
            {
                "ATOLL_METADATA_TABLE": naming.METADATA_TABLE,
                "ATOLL_DATA_BUCKET": places.bucket,
                "ATOLL_LANDING": ",".join(landing),
                "POWERTOOLS_SERVICE_NAME": "verify",
            },
            reserved=reserved,
        )
        made = AtollFunction(self, "Function", wanted, stack.settings, None)
        made.use_metadata(VERIFY)
        made.write_objects([naming.VERIFICATIONS], NOTES)
        made.delete_objects([naming.VERIFICATIONS], NOTES)
        if functions:
            made.allow(["lambda:InvokeFunction"], functions)
        definition: dict[str, Any] = verify_workflow(made.function.function_arn, stack.partition)
        state_machine(
            stack, self, naming.VERIFY, definition, machine_role(self, [(["lambda:InvokeFunction"], [made.function.function_arn])])
        )
