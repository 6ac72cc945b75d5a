"""Where on its host the portal is. A proxy in front takes this path away, or leaves it."""


def path_within(root: str, asked: str) -> str:
    """The path below `root` ("" for the whole host, else such as `/portal`) that was asked for, in either case."""
    return asked.removeprefix(root) if asked == root or asked.startswith(f"{root}/") else asked
