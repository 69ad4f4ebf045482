"""One frozen dataclass per command. A setting is declared once, here: default, help, range, and where it comes from.

``cli/options.py`` makes the flags from these classes. The shared groups in ``groups.py`` are base classes, and each group is
a panel of ``--help``. Values come from the flags, then the ``--config`` file, then the defaults; ``resolve`` merges them.
"""
