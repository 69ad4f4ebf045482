import simcse

PARTS = {part.name: part for part in simcse.PARTS}


def test_sentences_and_triplets_are_read_as_they_come(tmp_path):
    raw = tmp_path / "raw"
    raw.write_text('sent0,sent1,hard_neg\n"A, b.",C.,D.\nE.,"F ""g"".",H.\n')
    part = PARTS["nli"]
    assert part.make([raw], tmp_path / part.output) == {}
    assert part.count(tmp_path / part.output) == {"examples": 2}
    raw.write_text("One.\nTwo\u2028still two.\n")
    part = PARTS["wiki1m"]
    assert part.make([raw], tmp_path / part.output) == {}
    assert part.count(tmp_path / part.output) == {"examples": 2}


def test_addresses_are_those_of_simcse_s_own_scripts():
    start = "https://huggingface.co/datasets/princeton-nlp/datasets-for-simcse/resolve/main"
    assert PARTS["wiki1m"].sources[0].url == f"{start}/wiki1m_for_simcse.txt"
    assert PARTS["nli"].sources[0].url == f"{start}/nli_for_simcse.csv"
