"""The claims in reverse's half: each is folded if its write was made, or dropped if it can be made no more."""

from dataclasses import replace

from service.control.ledger import EntryReading
from service.core.item.wire import Item
from service.core.rules.ledger import Place, ReverseHalf, place_from
from service.sync.sinks.context import SinkContext
from service.sync.sinks.ledger_access import LedgerAccess


class ReverseClaims:
    """The claims of the items of which one sink applies records."""

    def __init__(self, access: LedgerAccess, context: SinkContext) -> None:
        self._access = access
        self._context = context
        self._refused: dict[str, str] = {}
        """By the text of a place whose records are being applied, the count of its claimed write that was refused."""

    def note_refused(self, place: Place, half: ReverseHalf) -> None:
        """The claimed write of a place was refused: nobody needs to ask whether it was made."""
        self._refused[place.text] = half.claims[place.text].count

    def forget_refused(self, place: Place) -> None:
        """The claimed write of a place is made again, or its records are applied."""
        self._refused.pop(place.text, None)

    async def settled(self, place: Place, read: EntryReading, first: str) -> ReverseHalf | None:
        """The half without the claims of other places, and without that of ``place`` if it is known whether its write was made.

        ``first``: the version of the first record of ``place`` that is to be applied now. None: the write of another place may
        still be made.
        """
        half = await self._without_others(place, read)
        return None if half is None else await self._without_claim(place, half, read.entry.key, first)

    async def _without_others(self, place: Place, read: EntryReading) -> ReverseHalf | None:
        """The half without the claims of other places: folded if the write was made, dropped if it can be made no more. None:
        it may still be made. So the writes of an old item are made in the order of their counts."""
        half = read.entry.reverse
        for text, claim in read.entry.reverse.claims.items():
            other = place_from(text)
            if other.text == place.text:
                continue
            made = await self._access.reverse_claim_made(read.entry.key, other, claim)
            if not made and await self._access.may_be_made(text, claim):
                return None
            # Asked again once it can be made no more: it may have been made since.
            if made or await self._access.reverse_claim_made(read.entry.key, other, claim):
                half = half.folded(other)
            else:
                half = self._dropped(half, other)
        return half

    def _dropped(self, half: ReverseHalf, place: Place) -> ReverseHalf:
        """The half without the claim of a place, whose write was not made."""
        claim = half.claims[place.text]
        half = replace(half, claims={text: other for text, other in half.claims.items() if text != place.text})
        return half.held(self._access.stores.clock.now()) if claim.released else half

    async def _without_claim(self, place: Place, half: ReverseHalf, key: Item, first: str) -> ReverseHalf:
        """The half with the place's claim folded, if the claimed write was made, or dropped, if it was not. ``first``: the
        version of the first record that is to be applied now; one after the claim shows that it was made."""
        claim = half.claims.get(place.text)
        if claim is None or first > claim.version:
            return half.folded(place)
        known = self._refused.get(place.text) == claim.count
        if not known and await self._access.reverse_claim_made(key, place, claim):
            await self._context.heal(place, claim.healed, claim.version)
            return half.folded(place)
        return self._dropped(half, place)
