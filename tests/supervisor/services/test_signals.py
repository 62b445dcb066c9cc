from tests.supervisor.fakes import FakeProcess
from tickfloor.contracts.events import SignalsAccepted, SignalsRaised, SignalsStored, StoreSignals
from tickfloor.contracts.signals import Signal
from tickfloor.supervisor.services.signals import SignalService


def signal(number: int) -> Signal:
    return Signal(
        id=f"{number:032x}",
        source="s",
        trader="t",
        revision=1,
        instrument="binance:BTCUSDT",
        tape="tape",
        tape_sequence=number,
        ts_event=number,
        values={},
    )


class Signals:
    """A signal service between a trader and a storage worker, each of which may be gone."""

    def __init__(self) -> None:
        self.trader: FakeProcess | None = FakeProcess("trader-1")
        self.storage: FakeProcess | None = FakeProcess("storage-1")
        self.service = SignalService(lambda: self.storage, lambda slot: self.trader)

    def raised(self, *numbers: int) -> None:
        process = self.trader or FakeProcess("trader-1")
        self.service.on_raised(process, SignalsRaised(signals=tuple(map(signal, numbers))))

    def stored(self, *numbers: int) -> None:
        message = SignalsStored(ids=tuple(signal(number).id for number in numbers))
        self.service.on_stored(self.storage or FakeProcess(), message)

    def asked_to_store(self) -> list[int]:
        return [each.tape_sequence for message in self.storage.heard for each in message.signals]

    def accepted(self) -> list[int]:
        return [int(each, 16) for message in self.trader.heard for each in message.ids]


def test_a_signal_goes_to_storage_and_the_news_of_it_back():
    signals = Signals()
    signals.raised(1, 2)
    assert signals.asked_to_store() == [1, 2]
    assert (signals.accepted(), signals.service.waiting) == ([], 2)
    signals.stored(1, 2)
    assert (signals.accepted(), signals.service.waiting) == ([1, 2], 0)
    assert (signals.service.raised, signals.service.stored) == (2, 2)


def test_a_signal_that_waits_is_held_and_passed_on_once_however_often_it_is_said():
    signals = Signals()
    signals.raised(1)
    signals.raised(1, 2)
    assert signals.asked_to_store() == [1, 2]
    assert (signals.service.waiting, signals.service.raised) == (2, 2)


def test_without_storage_signals_wait_and_are_said_to_the_next_one():
    signals = Signals()
    signals.storage = None
    signals.raised(1, 2, 3)
    signals.storage = FakeProcess("storage-1")
    signals.service.storage_ready(signals.storage)
    assert signals.asked_to_store() == [1, 2, 3]


def test_what_a_dead_storage_worker_did_not_confirm_is_said_again_in_order():
    signals = Signals()
    signals.raised(1, 2, 3)
    signals.stored(2)
    signals.storage = FakeProcess("storage-1")
    signals.service.storage_ready(signals.storage)
    signals.raised(4)
    assert signals.asked_to_store() == [1, 3, 4]
    signals.stored(1, 3, 4)
    assert signals.service.waiting == 0
    assert signals.accepted() == [2, 1, 3, 4]


def test_a_confirmation_that_comes_twice_is_passed_on_once():
    signals = Signals()
    signals.raised(1)
    signals.stored(1, 1)
    signals.stored(1)
    assert signals.accepted() == [1]
    assert signals.service.stored == 1


def test_a_successor_that_raises_what_is_stored_already_is_told_so():
    signals = Signals()
    signals.raised(1)
    signals.trader = None
    signals.stored(1)
    signals.trader = FakeProcess("trader-1")
    signals.raised(1)
    assert signals.asked_to_store() == [1, 1]
    signals.stored(1)
    assert signals.accepted() == [1]


def test_many_signals_are_passed_on_in_small_messages():
    signals = Signals()
    signals.storage = None
    signals.raised(*range(1_250))
    signals.storage = FakeProcess("storage-1")
    signals.service.storage_ready(signals.storage)
    assert [len(message.signals) for message in signals.storage.heard] == [500, 500, 250]
    assert isinstance(signals.storage.heard[0], StoreSignals)


def test_each_trader_hears_of_its_own_signals():
    traders = {"trader-1": FakeProcess("trader-1"), "trader-2": FakeProcess("trader-2")}
    service = SignalService(lambda: None, traders.get)
    service.on_raised(traders["trader-1"], SignalsRaised(signals=(signal(1),)))
    service.on_raised(traders["trader-2"], SignalsRaised(signals=(signal(2),)))
    service.on_stored(FakeProcess(), SignalsStored(ids=(signal(2).id, signal(1).id)))
    assert traders["trader-1"].heard == [SignalsAccepted(ids=(signal(1).id,))]
    assert traders["trader-2"].heard == [SignalsAccepted(ids=(signal(2).id,))]


def test_the_newest_fifty_are_kept_to_be_shown():
    signals = Signals()
    signals.raised(*range(80))
    assert [each.tape_sequence for each in signals.service.recent] == list(range(30, 80))
