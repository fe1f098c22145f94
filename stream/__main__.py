"""`python -m stream` is `leadstream`."""

from stream.cli import main

if __name__ == "__main__":
    main()
