"""A tap that writes what its configuration says, and ends as that says."""

import json
import pathlib
import sys
import time

arguments = dict(zip(sys.argv[1::2], sys.argv[2::2], strict=False))
config = json.loads(pathlib.Path(arguments["--config"]).read_text())
if "--discover" in sys.argv:
    print(json.dumps(config["catalog"]))
    sys.exit()
state = json.loads(pathlib.Path(arguments["--state"]).read_text()) if "--state" in arguments else None
for line in config["lines"][len(config["lines"]) if state == config.get("after") and state is not None else 0 :]:
    print(line if isinstance(line, str) else json.dumps(line), flush=True)
for line in config.get("log", []):
    print(line, file=sys.stderr)
time.sleep(config.get("seconds", 0))
sys.exit(0 if config.get("once") and state is not None else config.get("exit", 0))
