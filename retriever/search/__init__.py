"""Searchers, fusion of their rankings, and mining with them."""
