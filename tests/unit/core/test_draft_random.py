"""Drafts of mappings of generated tables: each item is mapped, and the templates of index attributes are found."""

from hypothesis import given, settings
from hypothesis import strategies as st

from service.core.item.wire import Item
from service.core.mapping.draft_check import Tried, try_draft
from service.core.mapping.transform import forward
from tests.builders.drafts import drafted, item, loaded

WORDS = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ", min_size=3, max_size=8)
IDS = st.integers(100_000, 999_999).map(lambda number: f"{number:x}-{number}")
TITLES = st.text("abcdefghijklmnop ", min_size=1, max_size=12).map(lambda text: f"T{text}7")


@st.composite
def single_tables(draw: st.DrawFn) -> tuple[list[Item], dict[str, dict[str, str]]]:
    """Items of some kinds, each with its own prefix, and of each prefix the templates of its index attributes."""
    prefixes = draw(st.lists(WORDS, min_size=2, max_size=4, unique=True))
    items, templates = [], {}
    for number, prefix in enumerate(prefixes):
        names = [f"first{number}", f"second{number}", f"third{number}"]
        ids = draw(st.lists(IDS, min_size=4, max_size=7, unique=True))
        made = draw(st.lists(st.sampled_from(names), min_size=1, max_size=3, unique=True))
        change = draw(st.sampled_from(["", ":lower"]))
        templates[prefix] = {
            "GSI1PK": f"BY{prefix}#{{{made[0]}{change}}}",
            "GSI1SK": "#".join(f"{{{name}{change}}}" for name in made),
        }
        for one in ids:
            titles = draw(st.lists(TITLES, min_size=3, max_size=3))
            values = dict(zip(names, titles, strict=True))
            texts = {name: text.lower() if change else text for name, text in values.items()}
            gsi = {"GSI1PK": f"BY{prefix}#{texts[made[0]]}", "GSI1SK": "#".join(texts[name] for name in made)}
            items.append(item(pk=f"{prefix}#{one}", sk=f"{prefix}#{one}", id=one, **values, **gsi))
    return items, templates


@settings(max_examples=25)
@given(single_tables())
def test_of_any_single_table_each_item_is_mapped_and_the_templates_are_found(
    made: tuple[list[Item], dict[str, dict[str, str]]],
) -> None:
    items, templates = made
    text = drafted(items, GSI1=["GSI1PK", "GSI1SK"])
    assert try_draft(text, items) == Tried(len(items), len(items))
    mapping = loaded(text)
    assert len(mapping.entities) == len(templates)
    for one in items:
        entity = mapping.entity_of(one)
        assert entity is not None
        assert entity.old_key["pk"].text.endswith(("#{id}", "#{id:lower}"))
        v2 = forward(mapping, one)
        assert v2.residue == {}
        assert entity.old_made.keys() == {"GSI1PK", "GSI1SK"}


ANY_KEYS = st.text(st.sampled_from("AB#{}*:? 1é"), min_size=1, max_size=8).filter(
    lambda text: any(letter.isalnum() for letter in text)
)


@settings(max_examples=50)
@given(st.lists(st.tuples(ANY_KEYS, ANY_KEYS), min_size=1, max_size=12, unique=True), st.booleans())
def test_of_keys_without_any_structure_there_is_a_draft_that_maps_them_all(
    keys: list[tuple[str, str]], sorted_: bool
) -> None:
    items = [item(pk=pk, sk=sk, note="x", GSI1PK=sk) for pk, sk in keys]
    if not sorted_:
        items = list({one["pk"]["S"]: one for one in items}.values())
    text = drafted(items, *(("pk", "sk") if sorted_ else ("pk",)))
    tried = try_draft(text, items)
    assert tried.failures == []
    assert tried.mapped + tried.left_out == len(items)
