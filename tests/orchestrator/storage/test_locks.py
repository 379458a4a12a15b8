import subprocess
from pathlib import Path

import pytest

from orchestrator.errors import HomeBusy
from orchestrator.storage.locks import holding


def test_a_tool_that_outlives_its_server_keeps_the_home_to_itself(tmp_path: Path) -> None:
    with holding(tmp_path, "home_a") as hold:
        tool = subprocess.Popen(["sleep", "1000"], pass_fds=(hold,))
    with pytest.raises(HomeBusy), holding(tmp_path, "home_a", patience=0.0):
        pass
    tool.kill()
    tool.wait()
    with holding(tmp_path, "home_a", patience=0.0):
        pass
