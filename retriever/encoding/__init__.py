"""Text → tokens → embeddings → shards."""
