"""Foreign text on a terminal."""


def inert(text: str) -> str:
    """The text without the characters that would command the terminal; lines stay lines."""
    return "".join(character if character.isprintable() or character == "\n" else "\ufffd" for character in text)
