"""That freed memory stays with the process, counted in the pages that the kernel has to clear."""

import platform
import subprocess
import sys

import pytest

PAGES_OF_NEW_BLOCKS = """
import resource, sys
import torch
from atebm.memory import keep_memory
if sys.argv[1] == "kept":
    keep_memory()
for _ in range(10):  # the heap grows for a while, until a block fits in what was freed
    torch.ones(2**24)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    torch.ones(2**24)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="keep_memory acts on glibc alone")
def test_blocks_of_64_mb_are_cleared_once():
    pages = {
        how: int(subprocess.check_output([sys.executable, "-c", PAGES_OF_NEW_BLOCKS, how])) for how in ("given", "kept")
    }
    assert pages["given"] > 100 and pages["kept"] < 10, pages
