"""`python -m relance`: the same as the command `relance`."""

from relance.cli import main

if __name__ == "__main__":
    main()
