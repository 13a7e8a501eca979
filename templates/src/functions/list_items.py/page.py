def digits(value: Any) -> Any:
    """Refuse what else is a number to pydantic, such as " +1_0.0"."""
    if isinstance(value, str) and not re.fullmatch("[0-9]+", value):
        raise ValueError("not digits")
    return value


PageSize = Annotated[int, Field(ge=1, le=MAX_LIMIT), BeforeValidator(digits)]


class Page(BaseModel):
    """Items, and the token for `after`, or null on the last page."""

    items: list[Item]
    next: Id | None{#- -#}
