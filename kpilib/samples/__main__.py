"""Write the invented firms: ``python -m kpilib.samples [FOLDER]`` (data/ without one)."""

import sys
from pathlib import Path

from kpilib.samples import folders

if __name__ == "__main__":
    for each in folders.write(Path(sys.argv[1] if len(sys.argv) > 1 else "data")):
        print(each)
