"""That freed memory stays with the process, counted in the pages that the kernel has to clear."""

import platform
import subprocess
import sys

import pytest

PAGES_OF_NEW_BLOCKS = """
import resource, statistics, sys
import torch
from atebm.device.malloc import keep_memory
if sys.argv[1] == "kept":
    keep_memory()


def pages_of_a_block():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.ones(2**24)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


# the median: the heap grows for a while, until a block fits in what was freed, and how long differs from run to run
print(int(statistics.median(pages_of_a_block() for _ in range(40))))
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="keep_memory acts on glibc alone")
def test_blocks_of_64_mb_are_cleared_once():
    pages = {
        how: int(subprocess.check_output([sys.executable, "-c", PAGES_OF_NEW_BLOCKS, how])) for how in ("given", "kept")
    }
    assert pages["given"] > 20 and pages["kept"] < 5, pages  # huge pages make 32 of a block
