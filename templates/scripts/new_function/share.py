

def lower_share(text: str) -> str:
    """Return the text with a lower default of ReservedConcurrency, for one function more."""
    functions = len(list((SOURCE / "functions").glob("[!_]*.py")))
    return SHARE.sub(lambda it: f"{it[1]}{int(it[2]) * functions // (functions + 1)}", text)
