"""``python -m tickfloor``."""

from tickfloor.cli.app import main

if __name__ == "__main__":
    main()
