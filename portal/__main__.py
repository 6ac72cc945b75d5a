"""`python -m portal`, and the console script `portal`."""

from portal.cli import cli


def main() -> None:
    """Run the command line; ends the process with 0, 1 (it did not work) or 2 (it was asked wrongly)."""
    cli(prog_name="portal")


if __name__ == "__main__":
    main()
