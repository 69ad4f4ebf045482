"""``ctl card``."""

from cli.output import print_line
from retriever.config.card import CardConfig


def card(config: CardConfig) -> None:
    """Write README.md into a model folder: what it is, how to use it, what it was trained on, and its results."""
    from retriever.reporting.card_facts import card_of, with_results
    from retriever.reporting.model_card import write_card

    folder, facts = card_of(config.model)
    print_line(str(write_card(folder, with_results(facts, folder, config.results))))
