"""Evaluation: semantic textual similarity, retrieval, geometry, and whether a difference is one."""
