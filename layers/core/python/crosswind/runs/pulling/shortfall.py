"""What of a work list was not done, told honestly: nothing is green by absence."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PullShortfall:
    """Units of a list that have no committed batch, by where they are."""

    not_given_out: int = 0
    returned: int = 0
    leased: int = 0
    lost: int = 0

    @property
    def units(self) -> int:
        """All of them; 0 where the list was worked off."""
        return self.not_given_out + self.returned + self.leased + self.lost

    def sentence(self) -> str | None:
        """For people; None when every unit was done."""
        parts = (
            (self.lost, "given up, for their runners were lost again and again"),
            (self.returned, "returned by a lost runner and not taken again"),
            (self.leased, "with a runner that never reported"),
            (self.not_given_out, "never given out"),
        )
        told = ", ".join(f"{count} {where}" for count, where in parts if count)
        if not told:
            return None
        what = (
            "1 unit of the work list was" if self.units == 1 else f"{self.units} units of the work list were"
        )
        return f"{what} not done: {told}."
