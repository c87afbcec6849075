def number(value: int, scale: int) -> int:
    return value * scale
