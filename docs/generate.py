"""Write the pages of the reference that follow from the code (`--help` says more)."""

import sys
from pathlib import Path


def main() -> int:
    """Run the generator, which is a package beside this file; returns the exit code."""
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    from docs.generator.command import main as run

    return run(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
