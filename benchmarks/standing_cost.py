"""What each stack of the example program costs while nothing runs, counted in the synthesised templates."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from console import cdk_app
from infra.settings import Settings

PROJECT = Path(__file__).resolve().parents[1]
PROGRAM = PROJECT / "examples" / "airline" / "program.sql"
KINDS = {"AWS::KMS::Key": "kms_key", "AWS::CloudWatch::Alarm": "alarm", "AWS::CloudWatch::Dashboard": "dashboard"}
METRICS_A_SLICE = 1  # StepSeconds; Failures is published, and paid, only in hours in which a step fails


def standing_cost(prices: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Stack ▸ {'counts': …, 'dollars': …}. The account's three free dashboards are shared out evenly over the slices."""
    with tempfile.TemporaryDirectory() as folder:
        templates, secrets = _synthesise(Path(folder))
    found = {}
    dashboards = sum(_counts(t)["dashboard"] for t in templates.values())
    paid_share = max(0, dashboards - prices["per_month"]["dashboard"]["free"]) / dashboards if dashboards else 0
    for stack, template in templates.items():
        counts = _counts(template) + Counter({"secret": secrets.get(stack, 0)})
        if counts["dashboard"]:
            counts["custom_metric"] = METRICS_A_SLICE
        share = {kind: paid_share if kind == "dashboard" else 1.0 for kind in counts}
        dollars = sum(prices["per_month"][kind]["price"] * number * share[kind] for kind, number in counts.items())
        found[stack] = {"counts": {kind: number for kind, number in counts.items() if number}, "dollars": round(dollars, 2)}
    return found


def _counts(template: Mapping[str, Any]) -> Counter[str]:
    return Counter(KINDS[r["Type"]] for r in template["Resources"].values() if r["Type"] in KINDS)


def _synthesise(folder: Path) -> tuple[dict[str, Any], dict[str, int]]:
    """Templates by stack, and how many secrets each stack's connections use."""
    program = cdk_app.read_program(str(PROGRAM))
    made = cdk_app.make_app(program, Settings(), outdir=str(folder), context={"aws:cdk:bundling-stacks": []})
    secrets = {s.node.id: len(s.secrets) for s in made.node.children if hasattr(s, "secrets")}
    made.synth()
    templates = {file.name.split(".")[0]: json.loads(file.read_text()) for file in sorted(folder.glob("*.template.json"))}
    return templates, secrets
