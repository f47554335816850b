"""The rotation drill, short: `make drill` runs it for a minute."""

from tests.drill.rotation import Pace, drill


def test_no_call_fails_while_the_key_of_two_processes_is_rotated(demo, settings):
    report = drill(demo, settings, Pace(tokens_last=3, published_before_use=1.5, verifies_after_use=4), seconds=6)

    assert report.failures == []
    assert report.rotations == 1
    assert len(report.kids) == 2
    assert report.calls["calls of the API"] > 30
