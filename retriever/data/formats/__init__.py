"""Formats of training data and test collections, one file each: a reader, a writer, and what the format can hold."""
