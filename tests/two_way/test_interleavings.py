"""The interleavings by which the model checker refutes a protocol without one of its rules, on the real sinks.

A test's name describes the interleaving. Where the model checker's own order would now end well even without the rule, the test has
the nearest order that does not. ``played``: an order that ended ill under an earlier rule, and that no one rule alone decides now.
"""

from tests.two_way.script import Script
from tests.two_way.without import played, without

# Both sides at one key.


@without("forward applies a record again")
def test_old_changes_there_and_back_and_the_first_change_is_replayed() -> Script:
    script = Script(unique=False)
    script.old_update(stage="1")
    script.old_update(stage="0")
    script.forward(2)
    script.replay_forward(0)
    return script


@without("forward applies a record again")
def test_v2_changes_there_and_back_and_what_reverse_wrote_first_is_replayed() -> Script:
    script = Script(unique=False)
    for value in "10":
        script.v2_update(stage=value)
        script.reverse()
        script.forward()
    script.replay_forward(0)
    return script


@without("reverse applies a record again")
def test_forward_answers_a_carried_write_and_its_own_record_is_replayed() -> Script:
    """What v2 holds is carried, so a replay carries nothing false; but it writes, and passes for the application's."""
    script = Script()
    script.old_update(stage="")
    script.forward()
    script.reverse()
    script.old_update(title="")
    script.forward()
    script.reverse()
    script.replay_reverse(0)
    return script


@without("forward carries without comparing")
def test_both_sides_change_one_field_and_forward_reads_first() -> Script:
    script = Script()
    script.old_update(stage="")
    script.v2_update(stage="")
    script.forward()
    return script


@played
def test_reverse_covers_an_unread_old_change_which_forward_then_carries_too() -> Script:
    script = Script()
    script.old_update(stage="")
    script.v2_update(title="")
    script.reverse()
    script.forward()
    return script


@without("nothing is brought back")
def test_v2_changes_there_and_back_over_an_unread_old_change() -> Script:
    script = Script(unique=False)
    script.old_update(stage="1")
    script.v2_update(stage="1")
    script.v2_update(stage="0")
    script.reverse(records=2)
    script.forward()
    return script


@without("nothing is brought back")
def test_v2_deletes_while_old_deletes_and_creates() -> Script:
    script = Script()
    script.old_delete()
    script.old_put(stage="")
    script.v2_delete()
    script.forward()
    script.reverse()
    return script


@played
def test_old_and_v2_are_put_to_values_that_share_a_field() -> Script:
    script = Script(unique=False)
    script.old_put(title="1", stage="1")
    script.v2_put(title="0", stage="1")
    script.reverse()
    script.forward()
    return script


@played
def test_the_old_application_puts_an_earlier_image_back_over_its_own_put() -> Script:
    script = Script()
    script.v2_update(stage="")
    script.reverse()
    earlier = script.old_now()
    script.v2_update(stage="")
    script.reverse()
    script.old_put(stage="")
    script.old_back(earlier)
    return script


@without("authorship on v2 without seen")
def test_the_v2_application_puts_an_earlier_image_back_over_its_own_put() -> Script:
    script = Script()
    script.old_update(stage="")
    script.forward()
    earlier = script.v2_now()
    script.old_update(stage="")
    script.forward()
    script.v2_put(stage="")
    script.v2_back(earlier)
    return script


@without("authorship on v2 without the base")
def test_the_v2_application_puts_back_an_image_of_the_guarded_rule() -> Script:
    script = Script(ledger=False)
    earlier = script.v2_now()
    script.old_delete()
    script.forward()
    script.switch()
    script.enter()
    script.purge()
    script.v2_back(earlier)
    return script


@without("a delete is one step")
def test_old_deletes_and_creates_and_the_removal_on_v2_is_read_between() -> Script:
    script = Script()
    script.old_delete()
    script.old_put(stage="")
    script.forward(2)
    script.reverse()
    return script


@played
def test_v2_deletes_and_creates_and_the_removal_on_old_is_read_between() -> Script:
    script = Script()
    script.v2_delete()
    script.reverse()
    script.v2_put(stage="")
    script.forward()
    return script


@without("changes are carried as one over what v2 has")
def test_old_changes_there_and_back_in_one_page_and_reverse_looks_in_between() -> Script:
    script = _passed_between()
    script.old_update(stage="0")
    script.forward_page(2)
    return script


@without("changes are carried as one over what v2 has")
def test_old_changes_on_in_one_page_and_reverse_looks_in_between() -> Script:
    script = _passed_between()
    script.old_update(stage="2")
    script.forward_page(2)
    return script


def _passed_between() -> Script:
    """Both sides have written one value, and reverse has passed v2's record of it, since old has it already."""
    script = Script(unique=False)
    script.v2_update(stage="1")
    script.old_update(stage="1")
    script.reverse()
    return script


# Key moves.


@played
def test_old_moves_the_item_while_v2_deletes_it_at_the_key_it_left() -> Script:
    script = Script()
    script.old_update(month=1)
    script.v2_delete()
    script.forward()
    script.reverse()
    return script


@played
def test_v2_moves_by_put_and_delete_whose_sequence_numbers_say_nothing_about_each_other() -> Script:
    script = Script()
    script.v2_put(month=1, title="", stage="")
    script.v2_delete(moving=True)
    script.reverse(1)
    script.forward()
    script.reverse(0)
    return script


@without("seen counts for all places of an item")
def test_forward_moves_an_item_and_the_tombstone_is_read_first() -> Script:
    script = Script()
    script.old_update(month=1)
    script.forward()
    script.reverse(0)
    script.reverse(1)
    return script


@played
def test_v2_deletes_and_creates_elsewhere_while_old_creates_at_the_first_key() -> Script:
    script = Script()
    script.v2_delete()
    script.reverse(0)
    script.old_put(title="", stage="")
    script.v2_put(month=1, title="", stage="")
    script.reverse(1)
    return script


@without("a move begins with its tombstone")
def test_forward_moves_what_reverse_has_written_and_old_creates_at_the_first_key() -> Script:
    script = Script()
    script.old_update(month=1)
    script.v2_update(title="")
    script.reverse(0)
    script.forward()
    script.reverse(0)
    script.old_put(title="", stage="")
    return script


@played
def test_old_moves_deletes_and_creates_and_the_tombstone_of_the_move_is_read_after_the_creation() -> Script:
    """Nothing lives on v2 then, because forward has removed the item; it was taken for a delete of v2's application."""
    script = Script()
    script.old_update(month=1)
    script.old_delete()
    script.forward(2)
    script.old_put(month=1, title="")
    script.reverse(0)
    script.old_put(month=1, title="")
    return script


@without("a delete is one step")
def test_a_reader_looks_while_forward_moves_an_item() -> Script:
    script = Script()
    script.old_update(month=1)
    script.forward()
    return script


@without("key moves go to the conflict log")
def test_old_moves_an_item() -> Script:
    script = Script()
    script.old_update(month=1)
    script.forward()
    return script


@without("reverse is not told of two live places")
def test_old_deletes_while_v2_creates_at_another_key_and_reverse_reads_first() -> Script:
    script = Script()
    script.old_delete()
    script.v2_put(month=1, title="", stage="")
    script.reverse(1)
    script.forward()
    return script


# The first move into `dual`, and the way back.


@without("no horizon in the script")
def test_a_superseded_owner_of_the_guarded_rule_writes_after_dual_is_entered() -> Script:
    script = Script(ledger=False)
    script.old_put(title="")
    script.take_over_in_hand(0)
    script.switch()
    script.horizon()
    script.acknowledge()
    script.v2_put(title="")
    script.forward()
    script.zombie_writes()
    return script


@without("no acknowledgement in the script")
def test_v2_is_written_before_reverse_has_changed_its_rule() -> Script:
    script = Script(ledger=False)
    script.switch()
    script.acknowledge()
    script.v2_put(title="")
    script.reverse()
    return script


@without("no drain in the script")
def test_what_the_guarded_rule_has_applied_is_read_again_after_v2_has_replaced_it() -> Script:
    script = Script(ledger=False)
    script.old_put(title="")
    script.forward()
    script.crash()
    script.switch()
    script.enter()
    script.v2_put(title="")
    return script


@without("covered changes are applied")
def test_what_the_guarded_rule_has_applied_is_read_again_behind_a_later_change() -> Script:
    script = Script(ledger=False)
    script.old_put(title="")
    script.old_put(title="")
    script.forward(2)
    script.crash()
    script.switch()
    script.forward()
    script.enter()
    return script


@without("a half-done guarded move stays so")
def test_the_guarded_rule_crashes_between_the_two_writes_of_a_move() -> Script:
    script = Script(ledger=False)
    script.old_update(month=1)
    script.forward_half()
    script.switch()
    script.enter()
    return script


@without("a delete is one step")
def test_a_superseded_owner_of_the_guarded_rule_writes_behind_a_removal() -> Script:
    script = Script(ledger=False)
    script.old_put(title="")
    script.old_delete()
    script.take_over_in_hand(0)
    script.switch()
    script.forward(2)
    script.zombie_writes()
    script.enter()
    return script


@without("no saving in the script")
def test_forward_changes_its_rule_with_unsaved_records_and_crashes_later() -> Script:
    script = Script(ledger=False)
    script.old_put(title="")
    script.forward()
    script.save()
    script.switch()
    script.enter()
    script.v2_put(title="")
    script.crash()
    return script


@without("entered without noting")
def test_v2_puts_back_what_forward_wrote_while_reverse_only_observed() -> Script:
    script = Script(ledger=False)
    script.switch()
    script.old_put(title="")
    script.forward()
    earlier = script.v2_now()
    script.old_delete()
    script.forward()
    script.enter()
    script.purge()
    script.v2_back(earlier)
    return script


@played
def test_reverse_is_taken_over_and_replays_what_old_has_changed_since() -> Script:
    script = Script(unique=False)
    script.v2_put(title="1", stage="0")
    script.reverse()
    script.old_put(title="0", stage="0")
    script.forward(2)
    script.replay_reverse(0)
    return script


@without("rolled back to guarded puts")
def test_forward_reads_what_both_sides_wrote_after_a_rollback() -> Script:
    script = Script()
    script.v2_put(title="")
    script.old_put(title="")
    script.reverse()
    script.roll_back()
    script.forward(2)
    return script


@without("rolled back to guarded puts that skip ours")
def test_forward_skips_what_reverse_wrote_after_a_rollback() -> Script:
    script = Script()
    script.v2_put(title="")
    script.old_put(title="")
    script.reverse()
    script.roll_back()
    script.forward(2)
    return script
