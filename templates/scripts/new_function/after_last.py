

def after_last(text: str, pattern: str, addition: str) -> str:
    """Return the text with an addition after the last match of the pattern."""
    ends = [found.end() for found in re.finditer(pattern, text, re.MULTILINE)]
    if not ends:
        sys.exit(f"template.yaml has no place to add to: {BY_HAND}")
    return text[: ends[-1]] + addition + text[ends[-1] :]
