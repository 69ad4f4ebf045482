import platform
from importlib.metadata import version

from cli.results import results_object


def test_results_name_the_suite_and_what_stands_behind_them():
    result = results_object("sts", {"sts-b": {"spearman_all": 76.9}}, policy="p", model="m", data="d")
    versions = result.pop("versions")
    assert result == {"sts": {"sts-b": {"spearman_all": 76.9}}, "policy": "p", "model": "m", "data": "d"}
    assert versions["python"] == platform.python_version()
    assert versions["torch"] == version("torch")
