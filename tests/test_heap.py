import os
import subprocess
import sys

import pytest

from retriever.heap import KERNEL_CACHES

# In a process of its own: the caches are as large as they are when the first kernel is made.
MANY_SHAPES = """
import sys
import psutil, torch
from retriever.encoding.encoder import Encoder

torch.set_num_threads(1)
Encoder.load(sys.argv[1], device="cpu")
layer = torch.nn.Linear(384, 1536)
held = []
with torch.autocast("cpu", torch.bfloat16):
    for rows in range(50, 200):
        layer(torch.ones(rows, 384)).sum().backward()
        held.append(psutil.Process().memory_info().rss)
print((held[-1] - held[50]) / 1e6)
"""


def growth(model, **environment):
    """MB that 100 more shapes leave with a process which has seen 50."""
    known = {name: value for name, value in os.environ.items() if name not in KERNEL_CACHES}
    done = subprocess.run(
        [sys.executable, "-c", MANY_SHAPES, str(model)],
        env={**known, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return float(done.stdout)


def test_kernels_of_earlier_shapes_are_forgotten(model_folder):
    if (unbounded := growth(model_folder, **dict.fromkeys(KERNEL_CACHES, "1024"))) < 30:
        pytest.skip("this CPU's kernels are not kept by oneDNN")
    assert growth(model_folder) < 0.4 * unbounded
