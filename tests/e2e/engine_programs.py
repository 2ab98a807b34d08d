"""The reference program as the lake's other engines have it, and with each view once more beside, where DuckDB computes it."""

from __future__ import annotations

import re
import shutil
from datetime import timedelta
from pathlib import Path

from examples.airline.demo import PROGRAM
from shared_metadata.program.source_schemas import FOLDER

# What the reference program says otherwise in the SQL of an engine.
SAID = {
    "athena": {
        "CREATE WAREHOUSE lake USING iceberg;": "CREATE WAREHOUSE lake USING iceberg WITH (engine = 'athena');",
        "round(sum(d.minutes_late) / nullif": "round(CAST(sum(d.minutes_late) AS double) / nullif",  # of integers it is an integer
    },
    "spark": {"CREATE WAREHOUSE lake USING iceberg;": "CREATE WAREHOUSE lake USING iceberg WITH (engine = 'spark');"},
    # What reads all flights is Athena's, what reads only what was made of them DuckDB's.
    "auto": {
        "CREATE WAREHOUSE lake USING iceberg;": "CREATE WAREHOUSE lake USING iceberg WITH (engine = 'auto', larger_from_gb = 0.002);",
        # The two round a CAST of a double otherwise.
        "CAST(sum(o.amount) AS DECIMAL(18, 2)) AS pipeline": "sum(o.amount) AS pipeline",
        "MERGE ON (carrier)\nAS\n": "MERGE ON (carrier) USING duckdb\nAS\n",
        "mean_delay, pipeline, deals FROM lake": "mean_delay, CAST(pipeline AS DECIMAL(18, 2)) AS pipeline, deals FROM lake",
    },
}


def write_program(folder: Path, engine: str) -> None:
    """The reference program as an engine has it, with its sources' schemas."""
    shutil.copytree(PROGRAM.parent / FOLDER, folder / FOLDER)
    text = PROGRAM.read_text()
    for here, there in SAID[engine].items():
        assert here in text
        text = text.replace(here, there)
    (folder / "program.sql").write_text(text)


# A view that keeps what has gone from its input, and sets rows aside.
FLEET = """
CREATE MATERIALIZED VIEW lake.ops.fleet
  EVERY '1 minute' MERGE ON (tailnum)
  EXPECT built: (year > 1900) OR QUARANTINE
  TOLERATE 50 PERCENT BAD ROWS
AS SELECT tailnum, year, manufacturer, seats FROM lake.ops.planes;
"""
EVERY = timedelta(minutes=3)  # two of each view have twice the batches of one
VIEWS, REJECTED = ("carrier_day", "carrier_score", "flight_log", "fleet"), "fleet__rejected"
_VIEW = re.compile(r"CREATE MATERIALIZED VIEW lake\.ops\.(\w+)(.*?)\nAS\b(.*?);", re.DOTALL)


def write_beside(folder: Path, engine: str) -> None:
    """The same with FLEET, and each view once more in the schema `beside`, as DuckDB has it; of `auto` in the same words."""
    write_program(folder, engine)
    file = folder / "program.sql"
    text = file.read_text() + FLEET
    text += _beside(text if engine == "auto" else PROGRAM.read_text() + FLEET)
    file.write_text(text.replace("EVERY '1 minute'", f"EVERY '{EVERY // timedelta(minutes=1)} minutes'"))


def _beside(text: str) -> str:
    """The views of a program, each of which reads those beside it."""
    views = "".join(
        f"\nCREATE MATERIALIZED VIEW lake.beside.{name}{how} USING duckdb\nAS{query};" for name, how, query in _VIEW.findall(text)
    )
    assert views.count("CREATE") == len(VIEWS)
    return re.sub(rf"lake\.ops\.({'|'.join(VIEWS)})\b", r"lake.beside.\1", views)
