"""`make bench`: every benchmark at a size that ends within minutes, one after the other."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path


def main() -> None:
    for file in sorted(Path(__file__).parent.glob("[a-z]*.py")):
        module = f"benchmarks.{file.stem}"
        print(f"\n== python -m {module}", flush=True)
        sys.argv = [module]
        runpy.run_module(module, run_name="__main__")


if __name__ == "__main__":
    main()
