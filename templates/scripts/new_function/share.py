

def lower_share(text: str) -> str:
    """Return the text with a default of ReservedConcurrency that makes room for one more."""
    functions = len(list((SOURCE / "functions").glob("[!_]*.py")))
    return SHARE.sub(lambda it: f"{it[1]}{int(it[2]) * functions // (functions + 1)}", text)
