import pytest
import torch

from retriever.choices import Similarity
from retriever.losses.similarity import similarity_matrix


@pytest.mark.parametrize("kind", ["cosine", "dot"])
def test_the_matrix_equals_a_loop_over_rows(kind: Similarity) -> None:
    first, second = torch.randn(3, 5), torch.randn(4, 5)
    matrix = similarity_matrix(first, second, kind)
    assert matrix.shape == (3, 4)
    for i in range(3):
        for j in range(4):
            expected = first[i] @ second[j]
            if kind == "cosine":
                expected = torch.cosine_similarity(first[i], second[j], dim=0)
            assert torch.allclose(matrix[i, j], expected, atol=1e-6)


def test_products_are_fp32_whatever_surrounds_them() -> None:
    first, second = torch.randn(3, 64), torch.randn(5, 64)
    expected = similarity_matrix(first, second, "cosine")
    torch.set_float32_matmul_precision("high")
    try:
        with torch.autocast("cpu", torch.bfloat16):
            found = similarity_matrix(first, second, "cosine")
        assert torch.get_float32_matmul_precision() == "high"
    finally:
        torch.set_float32_matmul_precision("highest")
    assert found.dtype == torch.float32
    assert torch.equal(found, expected)
