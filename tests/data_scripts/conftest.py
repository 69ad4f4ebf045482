import sys
from pathlib import Path

# The scripts are run as files, so they import their neighbours by bare name.
sys.path.insert(0, str(Path(__file__).parents[2] / "data_scripts"))
