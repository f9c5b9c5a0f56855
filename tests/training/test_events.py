import threading

from ganflow.training.events import Event, Kept, Report


def test_what_comes_before_there_is_a_listener_is_kept_in_order() -> None:
    kept, taken = Kept(), list[Event]()
    events = [Report(nimg) for nimg in range(2000)]
    first, rest = threading.Event(), events[1:]

    def post() -> None:
        kept(events[0])
        first.set()
        for event in rest:
            kept(event)

    thread = threading.Thread(target=post)
    thread.start()
    first.wait()
    kept.hand_to(taken.append)
    thread.join()
    assert taken == events
