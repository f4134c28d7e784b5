"""Run the commands that README.md shows, in order and in a scratch folder, and put their output under them.

How a page is read is said in ``docs_console.py``. ``--only TEXT`` renews the blocks with TEXT in a command.
"""

from __future__ import annotations

import argparse

from docs_console import ROOT, renew


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", default="", help="renew only blocks with a command that contains this")
    renew([ROOT / "README.md"], parser.parse_args().only)


if __name__ == "__main__":
    main()
