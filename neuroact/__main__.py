"""`python -m neuroact` is the command `neuroact`."""

from neuroact.cli import main

if __name__ == "__main__":
    main()
