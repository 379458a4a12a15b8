import subprocess
import sys

LIMITED = """
import os, resource
from orchestrator.inside.lines import give_way
give_way(5)
print(os.nice(0), resource.getrlimit(resource.RLIMIT_DATA)[1])
print(open("/proc/self/oom_score_adj").read())
"""


def test_a_program_gives_way_to_people() -> None:
    said = subprocess.run([sys.executable, "-c", LIMITED], check=True, capture_output=True).stdout
    assert said.split() == [b"5", b"%d" % (1 << 30), b"900"]
