"""The script in force: behaviours, carriers, and the counters that some outcomes keep."""

from collections import Counter
from collections.abc import Callable, Sequence

from services.sandbox.domain.behaviours import Behaviour, behaviour_for
from services.sandbox.domain.carriers import Carrier, Window, carrier_of


class Script:
    """Answers what happens to a message; replacing the behaviours forgets their counters."""

    def __init__(self, carriers: Sequence[Carrier] = ()) -> None:
        self.behaviours: Sequence[Behaviour] = ()
        self.carriers = carriers
        self.behaviours_document: object = ()
        self.carriers_document: object = ()
        self._attempts: Counter[tuple[int, str]] = Counter()
        self._windows: dict[int, Window] = {}
        self._down: frozenset[str] = frozenset()
        self.on_change: list[Callable[[], None]] = []

    def replace_behaviours(self, behaviours: Sequence[Behaviour], document: object = ()) -> None:
        """Put a new list of behaviours in force; `document` is what it was read from."""
        self.behaviours_document = document
        self.behaviours = behaviours
        self._attempts.clear()
        self._windows = {
            behaviour.index: Window(behaviour.outcome.per_second, 1)
            for behaviour in behaviours
            if behaviour.outcome.kind == "throttle"
        }
        self._down = frozenset(
            behaviour.match.channel
            for behaviour in behaviours
            if behaviour.outcome.kind == "down" and behaviour.match.is_everyone
        )
        for notify in self.on_change:
            notify()

    def replace_carriers(self, carriers: Sequence[Carrier], document: object = ()) -> None:
        """Put a new list of carriers in force, their windows empty."""
        self.carriers_document = document
        self.carriers = carriers

    def behaviour(self, channel: str, to: str, carrier: str = "") -> Behaviour:
        """Return the behaviour for a recipient."""
        return behaviour_for(self.behaviours, channel, to, carrier)

    def carrier(self, number: str) -> Carrier:
        """Return the carrier of a number."""
        return carrier_of(self.carriers, number)

    def is_down(self, channel: str) -> bool:
        """Tell whether the whole host or centre is out of service."""
        return channel in self._down

    def is_deferred(self, behaviour: Behaviour, to: str) -> bool:
        """Count an attempt, and tell whether it is still among those to put off."""
        key = (behaviour.index, to)
        self._attempts[key] += 1
        return self._attempts[key] <= behaviour.outcome.times

    def admits(self, behaviour: Behaviour, now_ns: int) -> bool:
        """Tell whether a throttling behaviour lets one more through, and count it if so."""
        window = self._windows[behaviour.index]
        if not window.has_room(now_ns):
            return False
        window.add(now_ns)
        return True
