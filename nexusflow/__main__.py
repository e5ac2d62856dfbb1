"""`python -m nexusflow` is `nexusflow`."""

from nexusflow.cli import main

if __name__ == "__main__":
    main()
