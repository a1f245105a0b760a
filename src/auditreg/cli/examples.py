"""Examples under a command's help, each on a line of its own."""


def examples(*lines: str) -> str:
    """An epilog that click leaves unwrapped."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)
