"""The command line, ``ctl``."""
