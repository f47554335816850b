"""`make drill`: a minute of traffic while token keys are rotated; fails where a single call fails."""

import argparse
import sys
import tempfile
from pathlib import Path

from gateway.demo.run import Demo, free_port
from tests.drill.rotation import Pace, drill

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--seconds", type=float, default=60)
arguments = parser.parse_args()
with tempfile.TemporaryDirectory(prefix="ipx-drill-") as folder:
    demo = Demo(Path(folder), free_port())
    demo.prepare()
    report = drill(demo, demo.settings, Pace(8, 5, 10), arguments.seconds)
sys.stdout.write("\n".join([str(report), *report.failures[:20], ""]))
sys.exit(bool(report.failures) or len(report.kids) < 2)
