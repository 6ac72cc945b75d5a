"""Numbers of 64 bits by numbers of 64 bits, in about half of the memory that a dict of them takes."""

from array import array

FEWEST_PLACES = 64  # a power of two, as there always are
GROWTH = 4


class Numbers:
    """Numbers by numbers that are hashes already, and not 0; 0 for what is absent.

    A key stands in the place that its last bits say, or in the next one that was free: there is always one.
    """

    def __init__(self, places: int = FEWEST_PLACES) -> None:
        self._keys = array("q", [0]) * places
        self._values = array("q", [0]) * places
        self._room = places * 3 // 4

    def __getitem__(self, key: int) -> int:
        return self._values[self._place_of(key)]

    def __setitem__(self, key: int, value: int) -> None:
        place = self._place_of(key)
        if not self._keys[place]:
            if self._room == 0:
                self._grow()
                place = self._place_of(key)
            self._room -= 1
            self._keys[place] = key
        self._values[place] = value

    def _place_of(self, key: int) -> int:
        keys = self._keys
        last = len(keys) - 1
        place = key & last
        while (found := keys[place]) and found != key:
            place = (place + 1) & last
        return place

    def _grow(self) -> None:
        larger = Numbers(len(self._keys) * GROWTH)
        for key, value in zip(self._keys, self._values, strict=True):
            if key:
                larger[key] = value
        self._keys, self._values, self._room = larger._keys, larger._values, larger._room
