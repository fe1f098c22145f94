"""`python -m stream` is `leadstream`."""

from stream.cli import main

main()
