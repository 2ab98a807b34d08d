"""The slices whose stacks, roles and bundles are looked at."""

from shared_metadata.contract.declaration import Slice
from slices.registry import installed

OF_MANIFESTS = "collect.github"


def looked_at() -> dict[str, Slice]:
    """Every slice by its id; of those that are a manifest one stands for all, which `test_manifests.py` compares with it."""
    code = installed()[OF_MANIFESTS].code
    return {name: declared for name, declared in installed().items() if declared.code != code or name == OF_MANIFESTS}
