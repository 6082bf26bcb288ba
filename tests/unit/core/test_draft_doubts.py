"""What a draft doubts: constants that may be values, items that may stay behind, attributes that may name no kinds."""

import re

import yaml

from service.core.item.wire import Item
from service.core.mapping.draft_check import Tried, try_draft
from service.core.mapping.transform import forward
from tests.builders.drafts import drafted, item, loaded

REPOS = [("acme", "rocket"), ("initech", "stapler"), ("hooli", "nucleus")]


def line(text: str, begins: str) -> str:
    """The only line of the draft that begins so."""
    (found,) = [one for one in text.splitlines() if one.strip().startswith(begins)]
    return found.strip()


def block(text: str, entity: str) -> str:
    """The lines of one entity."""
    after = text.partition(f"\n  {entity}:")[2]
    return re.split("\n  (?! )", after)[0]


def repos() -> list[Item]:
    return [
        item(pk=f"REPO#{owner}#{name}", sk=f"REPO#{owner}#{name}", entity_type="repo", owner=owner, name=name)
        for owner, name in REPOS
    ]


def issues(**attributes: str) -> list[Item]:
    """All of one repository."""
    return [
        item(
            pk="REPO#acme#rocket", sk=f"ISSUE#{number:06}", entity_type="issue", number={"N": str(number)}, **attributes
        )
        for number in (7, 8, 12, 130)
    ]


def test_issues_of_the_only_repository_that_has_some_have_its_owner_and_name_as_fields() -> None:
    items = repos() + issues(owner="acme", name="rocket", GSI1PK="REPO#acme#rocket")
    text = drafted(items, GSI1=["GSI1PK"])
    issue = block(text, "issue")
    assert line(issue, "old_key:") == (
        'old_key: {pk: "REPO#{owner}#{name}", sk: "ISSUE#{number:pad6}"}'
        "  # owner is 'acme' in all 4 items; name is 'rocket' in all 4 items"
    )
    assert line(issue, "GSI1PK:") == 'GSI1PK: "REPO#{owner}#{name}"'
    assert try_draft(text, items) == Tried(len(items), len(items))
    other = item(
        pk="REPO#hooli#nucleus",
        sk="ISSUE#000001",
        entity_type="issue",
        number={"N": "1"},
        owner="hooli",
        name="nucleus",
    )
    assert loaded(text).entity_name_of(other) == "issue"
    assert try_draft(text, [other]) == Tried(1, 1)


def test_a_constant_in_a_key_that_other_keys_do_not_have_there_is_doubted_where_no_attribute_says_it() -> None:
    items = repos() + issues()
    text = drafted(items)
    assert line(block(text, "issue"), "old_key:").endswith(
        "# 'acme' is the same in all 4 items; 'rocket' is the same in all 4 items"
    )
    assert try_draft(text, items) == Tried(len(items), len(items))


def test_a_constant_in_a_key_that_an_attribute_says_is_doubted_where_nothing_shows_that_it_varies() -> None:
    items = [
        item(pk=f"USER#{number}x", sk="TIER#gold", id=f"{number}x", plan="gold", entity_type="user")
        for number in range(4)
    ]
    text = drafted(items)
    assert line(text, "old_key:") == 'old_key: {pk: "USER#{id}", sk: "TIER#gold"}  # \'gold\' is plan in all 4 items'


def test_a_part_by_which_alone_two_kinds_are_told_stays_constant_and_is_doubted() -> None:
    items = [
        item(
            pk=f"USER#{number}x",
            sk=f"LOGIN#{provider.lower()}#{number}y",
            provider=provider,
            **{own: "z", f"{own}_2": "z"},
        )
        for provider, own in (("GitHub", "scope"), ("Google", "expires"))
        for number in range(4)
    ]
    text = drafted(items)
    assert set(loaded(text).entities) == {"user_login_github", "user_login_google"}
    assert "# 'github' is provider in all 4 items" in block(text, "user_login_github")
    assert try_draft(text, items) == Tried(8, 8)


def test_words_that_begin_keys_are_no_values_although_an_attribute_says_them() -> None:
    items = [
        item(pk=f"{word}#{number}x", sk=f"{word}#{sub}", model=word, entity_type=word.lower())
        for word, sub in (("USER", "PROFILE"), ("TEAM", "PROFILE"))
        for number in range(4)
    ]
    text = drafted(items)
    assert "{model}" not in text
    assert not any("#" in one.split("}")[-1] for one in text.splitlines() if "old_key" in one)


def test_the_tenant_that_all_keys_begin_with_is_a_value_where_others_are_seen() -> None:
    users = [
        item(pk=tenant, sk=f"USER#{number}x", tenant=tenant)
        for number, tenant in enumerate(("acme", "initech", "hooli", "acme"))
    ]
    orders = [item(pk="acme", sk=f"ORDER#{number}y", tenant="acme", total={"N": "5"}) for number in range(4)]
    text = drafted(users + orders)
    assert line(block(text, "order"), "old_key:") == (
        'old_key: {pk: "{tenant}", sk: "ORDER#{order}"}  # tenant is \'acme\' in all 4 items'
    )
    assert try_draft(text, users + orders) == Tried(8, 8)


def test_an_index_with_a_made_partition_key_of_two_values_and_a_sort_key_of_its_own_is_a_mapping() -> None:
    items = repos() + issues(owner="acme", name="rocket", GSI1PK="REPO#acme#rocket")
    for number, one in enumerate(items[len(REPOS) :]):
        one["GSI1SK"] = {"S": f"{['open', 'closed'][number % 2]}-{997 - 13 * number}"}
    text = drafted(items, GSI1=["GSI1PK", "GSI1SK"])
    assert 'GSI1: {GSI1_pk: "{owner}#{name}", GSI1_sk: "{GSI1SK?}"}' in text
    assert try_draft(text, items) == Tried(len(items), len(items))


def users(count: int, stale: int) -> list[Item]:
    """With an index by email, of which the last ones have an older email in it."""
    items = [
        item(pk=f"USER#{number}x", sk="USER", id=f"{number}x", email=f"{number}@e.org", GSI1PK=f"USER#{number}@e.org")
        for number in range(count)
    ]
    for number in range(count - stale, count):
        items[number]["GSI1PK"] = {"S": f"USER#{number}@old.org"}
    return items


def test_a_template_that_one_of_five_items_does_not_follow_is_offered_with_the_number() -> None:
    items = users(5, stale=1)
    text = drafted(items, GSI1=["GSI1PK"])
    assert line(text, "GSI1PK:") == 'GSI1PK: "USER#{email}"  # 1 of 5 items have another value, and keep it'
    assert try_draft(text, items) == Tried(5, 5)
    assert "GSI1PK" in forward(loaded(text), items[4]).residue


def test_where_too_many_items_are_otherwise_the_comment_says_how_many_are_as_expected() -> None:
    for count, stale in ((4, 1), (5, 2), (20, 3)):
        text = drafted(users(count, stale), GSI1=["GSI1PK"])
        assert line(text, "GSI1PK:").endswith(
            f"# no template found: email says it in {count - stale} of {count} items only"
        )


def test_that_nothing_says_it_is_said_only_where_nothing_does_in_any_item() -> None:
    items = users(6, stale=6)
    assert line(drafted(items, GSI1=["GSI1PK"]), "GSI1PK:").endswith("nothing else in the item says '0@old.org'")


def test_a_number_is_in_no_letters_although_the_other_values_in_keys_are_in_small_ones() -> None:
    items = repos()
    items[0] |= item(owner="Acme")
    items += [
        item(
            pk=f"COMMENT#{number}",
            sk=f"COMMENT#c{number}",
            entity_type="comment",
            issue={"N": f"{number}"},
            id=f"c{number}",
        )
        for number in range(4)
    ]
    text = drafted(items)
    assert line(block(text, "comment"), "old_key:") == 'old_key: {pk: "COMMENT#{issue}", sk: "COMMENT#{id:lower}"}'
    assert try_draft(text, items) == Tried(7, 7)


SEEMS = (
    "# seems only to keep a value unique or to be a lock: may these items stay behind? Then, in place of this entity:"
)


def customers() -> list[Item]:
    return [
        item(pk=f"CUSTOMER#{name}", sk=f"CUSTOMER#{name}", user=name, email=f"{name}@e.org", city="Linz")
        for name in ("ada", "grace", "alan")
    ]


def with_the_rule(text: str, entity: str) -> str:
    """The draft, changed as the comment on the entity says."""
    rule = yaml.safe_load(line(block(text, entity), "# leave_out:").removeprefix("# "))
    mapping = yaml.safe_load(text)
    del mapping["entities"][entity]
    mapping["old"] |= rule
    return str(yaml.safe_dump(mapping))


def test_locks_with_attributes_of_their_own_are_doubted_with_the_rule_that_leaves_them_behind() -> None:
    items = customers() + [
        item(pk=f"Lock#{number}7x", sk="Lock", owner=f"host-{number}", lease={"N": "30"}, released={"BOOL": True})
        for number in range(3)
    ]
    text = drafted(items)
    assert SEEMS in block(text, "lock")
    assert SEEMS not in block(text, "customer")
    assert line(text, "# leave_out:") == '# leave_out: [{pk: "Lock#*"}]'
    assert try_draft(text, items) == Tried(6, 6)
    assert try_draft(with_the_rule(text, "lock"), items) == Tried(6, 3, 3)


def test_items_that_say_only_what_another_item_says_are_doubted() -> None:
    items = customers()
    items += [
        item(pk=f"CUSTOMEREMAIL#{one['email']['S']}", sk="CUSTOMEREMAIL", email=one["email"], user=one["user"])
        for one in customers()
    ]
    text = drafted(items)
    assert SEEMS in block(text, "customeremail")
    assert SEEMS not in block(text, "customer")
    assert line(text, "# leave_out:") == '# leave_out: [{pk: "CUSTOMEREMAIL#*"}]'


def test_a_relation_of_two_items_is_not_doubted() -> None:
    teams = [item(pk=f"TEAM#t{number}", sk="TEAM", team=f"t{number}", size={"N": "2"}) for number in range(3)]
    members = [
        item(pk=f"TEAM#t{number}", sk=f"CUSTOMER#{name}", team=f"t{number}", user=name)
        for number, name in enumerate(("ada", "grace", "alan"))
    ]
    assert "leave_out" not in drafted(customers() + teams + members)


def test_a_block_is_no_lock() -> None:
    blocks = [item(pk=f"CUSTOMER#{name}", sk=f"BLOCK#{name}x") for name in ("ada", "grace", "alan")]
    items = customers() + blocks
    text = drafted(items)
    assert "leave_out" not in text
    assert try_draft(text, items) == Tried(6, 6)


def test_of_an_item_whose_key_is_words_only_the_draft_says_why_one_of_them_is_a_field() -> None:
    items = [*customers(), item(pk="FRONTPAGE", sk="FRONTPAGE", featured={"L": []})]
    text = drafted(items)
    assert line(block(text, "frontpage"), "old_key:") == (
        'old_key: {pk: "{pk_1}", sk: FRONTPAGE}'
        "  # the key is words only, and v2's key needs a field: pk_1 is 'FRONTPAGE'"
    )
    assert try_draft(text, items) == Tried(4, 4)


def test_one_item_of_another_shape_by_which_the_attribute_names_no_kinds_any_more_is_told() -> None:
    items = repos() + issues(owner="acme", name="rocket")
    assert "  entity: entity_type" in drafted(items).splitlines()
    items.append(item(pk="OTHER#9x", sk="MORE#8", entity_type="issue", note="x"))
    text = drafted(items)
    assert "  entity: entity_type" not in text.splitlines()
    assert line(text, "# entity_type") == (
        "# entity_type does not name the kinds here: of 5 items with 'issue', 1 have a key of another shape than the others."
        " The shapes of keys tell the kinds."
    )
    assert try_draft(text, items) == Tried(len(items), len(items))


def test_an_attribute_that_too_many_items_lack_is_told() -> None:
    items = repos() + issues()
    del items[0]["entity_type"], items[4]["entity_type"]
    assert line(drafted(items), "# entity_type").startswith(
        "# entity_type does not name the kinds here: 2 of 7 items do not have it as text"
    )


def test_a_table_without_such_an_attribute_is_told_nothing() -> None:
    assert "does not name" not in drafted(customers())


def events() -> list[Item]:
    return [
        item(
            pk=f"STREAM#{stream}x",
            sk=f"{place:06}",
            type=("Opened", "Paid", "Paid", "Closed")[place],
            stream=f"{stream}x",
        )
        for stream in range(4)
        for place in range(4)
    ]


def test_the_types_of_events_are_doubted_as_kinds() -> None:
    carts = [item(pk=f"CART#{number}y", sk="CART", type="Cart", cart=f"{number}y") for number in range(3)]
    text = drafted(events() + carts)
    assert line(text, "entity: ") == (
        "entity: type  # 3 of its values have keys of one shape: may it tell an event's type, not a kind of item?"
    )
    assert try_draft(text, events() + carts) == Tried(19, 19)


def test_kinds_with_keys_of_their_own_shapes_are_not_doubted_as_events() -> None:
    assert line(drafted(repos() + issues()), "entity: ") == "entity: entity_type"
