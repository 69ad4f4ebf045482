"""Centroids found in torch, against FAISS's own."""

import faiss
import numpy as np
import pytest
import torch

from retriever.index.faiss_index import FaissIndex
from retriever.index.kmeans import kmeans
from retriever.index.parts import Parts
from retriever.index.recall import Truth
from retriever.index.sample import train
from tests.index.test_recipes import clustered

CPU = torch.device("cpu")


def nearness(vectors: np.ndarray, centroids: np.ndarray) -> float:
    """What k-means makes large: the mean product of a vector with its nearest centroid."""
    return float((vectors @ centroids.T).max(1).mean())


def test_it_is_as_good_as_that_of_faiss() -> None:
    vectors = clustered(5000, 0)
    found = kmeans(torch.from_numpy(vectors), 64).numpy()
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-6)
    theirs = faiss.Kmeans(32, 64, niter=10, spherical=True, seed=1)
    theirs.train(vectors)
    assert nearness(vectors, found) == pytest.approx(nearness(vectors, theirs.centroids), rel=0.01)
    assert nearness(vectors, found) > nearness(vectors, vectors[:64]) * 1.02
    np.testing.assert_array_equal(kmeans(torch.from_numpy(vectors), 64).numpy(), found)


def test_an_empty_cluster_takes_half_of_another() -> None:
    one, other = clustered(2, 0)
    vectors = torch.from_numpy(np.concatenate([np.tile(one, (30, 1)), np.tile(other, (10, 1))]))
    found = kmeans(vectors, 8)
    assert len(np.unique(found.numpy(), axis=0)) == 8
    assert (found @ vectors.T).amax(0).min() > 0.999
    with pytest.raises(ValueError, match="40 vectors for 41 centroids"):
        kmeans(vectors, 41)


@pytest.mark.parametrize("factory", ["IVF32,Flat", "IVF32,SQ8", "IVF32,PQ8x4fs,Refine(SQfp16)"])
def test_an_index_takes_them(factory: str, monkeypatch: pytest.MonkeyPatch) -> None:
    corpus, recalls = clustered(4000, 0), []
    truth = Truth.of_queries(clustered(200, 5), Parts.of([corpus]), CPU)
    for on in ((), ("cpu",)):
        monkeypatch.setattr("retriever.index.sample.CENTROIDS_ON", on)
        index = FaissIndex(32, factory)
        train(index, Parts.of([corpus]), CPU)
        assert index.is_trained
        index.add(corpus)
        index.set_search({"nprobe": 8})
        recalls.append(truth.recall_of(index))
    assert recalls[1] == pytest.approx(recalls[0], abs=0.05)
    own = faiss.extract_index_ivf(index._index).quantizer.reconstruct_n(0, 32)
    np.testing.assert_allclose(own, kmeans(torch.from_numpy(corpus), 32).numpy(), atol=1e-6)
