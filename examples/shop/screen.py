"""What the demo prints: headings, facts, checks; the same words with and without a terminal."""

from dataclasses import dataclass, field

from rich.console import Console
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

WIDTH = 92
_MARKS = {
    True: Text("ok", "green"),
    False: Text("FAILS", "bold red"),
    None: Text("?", "yellow"),
}


@dataclass
class Screen:
    """Prints, and remembers which checks failed."""

    console: Console
    failed: list[str] = field(default_factory=list)
    unjudged: int = 0
    step: int = 0

    @property
    def is_live(self) -> bool:
        """Whether somebody watches, so that a line may be redrawn."""
        return self.console.is_terminal

    def heading(self, title: str) -> None:
        """Begin the next step."""
        self.step += 1
        self.console.print()
        self.console.print(Rule(Text(f"{self.step}  {title}", "bold"), align="left", style="dim"))

    def say(self, text: str) -> None:
        """A sentence; square brackets mean themselves."""
        self.console.print(Text(text), highlight=False)

    def quiet(self, text: str) -> None:
        """A sentence that matters less."""
        self.console.print(Text(text, "dim"), highlight=False)

    def progress(self, text: str) -> None:
        """A line that the next one replaces; a log gets none of them."""
        if self.is_live:
            self.console.print(Text(text, "dim"), end="\r", highlight=False)

    def facts(self, rows: list[tuple[str, str]]) -> None:
        """Names and values, below each other."""
        table = Table.grid(padding=(0, 2))
        table.add_column(style="dim", no_wrap=True)
        table.add_column(overflow="fold")
        for name, value in rows:
            table.add_row(Text(f"  {name}"), Text(value))
        self.console.print(table)

    def command(self, command: str) -> None:
        """A command to copy: never wrapped, so that it can be."""
        self.console.print(Text(f"     {command}", "cyan"), soft_wrap=True, highlight=False)

    def check(self, claim: str, *, holds: bool | None, shown: str) -> None:
        """Say a claim and whether it holds, and below it the figures it rests on.

        None says that it cannot be judged here: a question mark, and no failure.
        """
        mark = _MARKS[holds]
        self._hang(mark, Text.assemble(claim, "\n", (shown, "dim")))
        if holds is False:
            self.failed.append(claim)
        self.unjudged += holds is None

    def finding(self, text: str, *, holds: bool) -> None:
        """A criterion, and whether it holds of somebody."""
        mark = Text("yes", "green") if holds else Text("no", "dim")
        self._hang(mark, Text(text, "" if holds else "dim"))

    def _hang(self, mark: Text, text: Text) -> None:
        """A mark, and a text whose further lines begin where the first one does."""
        table = Table.grid(padding=(0, 2))
        table.add_column(no_wrap=True, min_width=7)
        table.add_column(overflow="fold")
        table.add_row(Text("  ") + mark, text)
        self.console.print(table)

    def table(self, table: Table) -> None:
        """A table."""
        self.console.print(table)


def screen() -> Screen:
    """A screen of the terminal's width, or of a log's where there is no terminal."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=WIDTH)
    return Screen(console)


def count(number: int) -> str:
    """1234 as 1,234."""
    return f"{number:,}"


def share(part: float, whole: float) -> str:
    """A part of a whole in per cent; a dash of nothing."""
    return f"{100 * part / whole:.1f} %" if whole else "-"
