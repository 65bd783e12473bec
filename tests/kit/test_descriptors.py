"""A process may hold as many sockets as the system lets it."""

import resource
import subprocess
import sys

COUNT = """
import resource
resource.setrlimit(resource.RLIMIT_NOFILE, (64, {hard}))
from tocsin.kit.descriptors import allow_many
allow_many()
print(*resource.getrlimit(resource.RLIMIT_NOFILE))
"""


def test_the_soft_limit_is_raised_to_the_hard_one() -> None:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    told = subprocess.run([sys.executable, "-c", COUNT.format(hard=hard)], capture_output=True, text=True, check=True)
    assert told.stdout.split() == [str(hard), str(hard)]
