import os
import subprocess
import sys

import pytest

from retriever.heap import KERNEL_CACHES, KERNELS, keep_few_kernels

# In a process of its own: the caches are as large as they are when the first kernel is made. GELU is oneDNN's on every x86 CPU.
FIRST_SHAPE_AGAIN = """
import sys
import torch
from retriever.encoding.encoder import Encoder

Encoder.load(sys.argv[1], device="cpu")
for rows in (*range(1, 101), 1):
    torch.nn.functional.gelu(torch.ones(rows, 640))
"""


def last_kernel(model, **environment):
    """Whether oneDNN still had the kernel of the first shape after 99 others: "cache_hit" or "cache_miss"; None: it made none."""
    known = {name: value for name, value in os.environ.items() if name not in KERNEL_CACHES}
    done = subprocess.run(
        [sys.executable, "-c", FIRST_SHAPE_AGAIN, str(model)],
        env={**known, **environment, "ONEDNN_VERBOSE": "profile_create"},
        capture_output=True,
        text=True,
        check=True,
    )
    made = [line for line in done.stdout.splitlines() if "create:" in line and line.split(",")[-2] == "1x640"]
    return made[-1].partition("create:")[2].partition(",")[0] if made else None


def test_kernels_of_earlier_shapes_are_forgotten(model_folder):
    if last_kernel(model_folder, **dict.fromkeys(KERNEL_CACHES, "1024")) != "cache_hit":
        pytest.skip("this CPU's kernels are not kept by oneDNN")
    assert int(KERNELS) < 100
    assert last_kernel(model_folder) == "cache_miss"


@pytest.mark.parametrize("name", KERNEL_CACHES)
def test_the_environment_has_the_last_word(name, monkeypatch):
    for each in KERNEL_CACHES:
        monkeypatch.delenv(each, raising=False)
    monkeypatch.setenv(name, "200")
    keep_few_kernels()
    assert {each: os.environ[each] for each in KERNEL_CACHES} == {
        **dict.fromkeys(KERNEL_CACHES, KERNELS),
        name: "200",
    }
