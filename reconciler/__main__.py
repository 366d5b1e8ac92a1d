"""`python -m reconciler` is `netbird-tokens`."""

from reconciler.cli import main

if __name__ == "__main__":
    main()
