"""What can go wrong with a template: at compile time its syntax, at render time its bounds."""


class TemplateSyntaxError(ValueError):
    """The source is not a template this engine accepts; line and column count from 1."""

    def __init__(self, message: str, line: int, column: int) -> None:
        super().__init__(f"line {line}, column {column}: {message}")
        self.message = message
        self.line = line
        self.column = column


class RenderError(RuntimeError):
    """A valid template met data it cannot render, such as an unknown dynamic partial."""


class RenderLimitError(RenderError):
    """A render passed its time, output size or nesting bound (Pinpoint specification 5.3)."""
