from collections.abc import Iterator

import pytest
import torch

from retriever.encoding.device import prepare_device


@pytest.fixture
def cudnn_attention() -> Iterator[None]:
    before = torch.backends.cuda.cudnn_sdp_enabled()
    torch.backends.cuda.enable_cudnn_sdp(True)
    yield
    torch.backends.cuda.enable_cudnn_sdp(before)


@pytest.mark.parametrize(("device", "enabled"), [("cpu", True), ("cuda:0", False)])
def test_a_gpu_is_used_without_cudnns_attention(cudnn_attention: None, device: str, enabled: bool) -> None:
    prepare_device(torch.device(device))
    assert torch.backends.cuda.cudnn_sdp_enabled() == enabled
