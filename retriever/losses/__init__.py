"""Objectives: pure functions of embeddings."""
