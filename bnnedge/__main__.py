"""``python -m bnnedge``."""

from bnnedge.cli import main

if __name__ == "__main__":
    main()
