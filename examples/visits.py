# A job that keeps something: it counts its runs in the folder that outlives its revisions.
# prisn deploy examples/visits.py && prisn trigger visits --wait --input '{"who": "Ada"}'
import json
import os
import sys
from pathlib import Path

counter = Path(os.environ.get("PRISN_DATA", ".")) / "count"
runs = int(counter.read_text()) + 1 if counter.exists() else 1
counter.write_text(str(runs))

given = json.loads(os.environ.get("PRISN_INPUT", "null"))
print(f"run {runs}, level {os.environ.get('LEVEL', 'none')}, arguments {sys.argv[1:]}, input {given}")
