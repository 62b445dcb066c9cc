import itertools
import sqlite3
import threading
from pathlib import Path

import pytest
from sqlalchemy import create_engine

from tickfloor.contracts.errors import StorageError
from tickfloor.contracts.signals import Signal, signal_id
from tickfloor.storage.database import DatabaseMissingError, open_database, open_existing
from tickfloor.storage.signal_store import SignalStore


def signal(number: int, trader: str = "t", instrument: str = "binance:BTCUSDT", **values) -> Signal:
    return Signal(
        id=signal_id("source", trader, 1, instrument, "tape", number),
        source="source",
        trader=trader,
        revision=1,
        instrument=instrument,
        tape="tape",
        tape_sequence=number,
        ts_event=number * 1_000,
        values=values or {"last": 1.5, "rsi(14)": None},
    )


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{tmp_path}/floor.db"


@pytest.fixture
def opened(url):
    """Opens stores of the same database, by run."""
    engines = []

    def store(run="1"):
        engine = open_database(url)
        engines.append(engine)
        return SignalStore(engine, run)

    yield store
    for engine in engines:
        engine.dispose()


def everything(store):
    found, after = [], 0
    while after >= 0:
        page, after = store.of_run(after, 7)
        found += page
    return found


def test_a_signal_comes_back_as_it_was(opened):
    store = opened()
    sent = signal(1, **{"last": 0.1 + 0.2, "big": 1e300, "unknown": None, "naïve €": -0.0})
    store.add([sent])
    assert everything(store) == [sent]


def test_a_signal_is_stored_once_however_often_and_however_it_is_said(opened):
    store = opened()
    store.add([signal(1), signal(2), signal(1)])
    store.add([signal(2), signal(3)])
    assert [each.tape_sequence for each in everything(store)] == [1, 2, 3]
    assert (store.stored, store.repeated) == (3, 1)


def test_signals_come_in_order_of_tape_trader_and_instrument_over_pages(opened):
    store = opened()
    sent = [
        signal(number, trader, instrument)
        for number, trader, instrument in itertools.product((3, 1, 2), "ba", ("binance:ETHUSDT", "binance:BTCUSDT"))
    ]
    store.add(sent)
    expected = sorted(sent, key=lambda each: (each.tape_sequence, each.trader, each.instrument))
    assert everything(store) == expected


def test_more_signals_at_once_than_a_statement_has_variables_for(opened):
    store = opened()
    sent = [signal(number) for number in range(40_000)]
    store.add(sent)
    store.add(sent)
    assert (store.stored, store.repeated) == (40_000, 40_000)


def test_the_same_replay_again_adds_no_row_and_finds_its_signals(opened):
    first, again = opened("run-1"), opened("run-2")
    sent = [signal(number) for number in range(10)]
    first.add(sent)
    again.add(sent)
    assert (again.stored, again.repeated) == (0, 10)
    assert everything(again) == sent
    assert everything(first) == []
    assert len(first.newest(100)) == 10


def test_an_earlier_run_s_signals_are_not_this_run_s(opened):
    opened("run-1").add([signal(1)])
    other = opened("run-2")
    other.add([signal(2)])
    assert everything(other) == [signal(2)]


def test_the_newest_come_first_and_can_be_chosen(opened):
    store = opened()
    store.add([signal(number, "ab"[number % 2], f"binance:{number % 3}") for number in range(12)])
    assert [each.tape_sequence for each in store.newest(3)] == [11, 10, 9]
    assert [each.tape_sequence for each in store.newest(9, trader="b")] == [11, 9, 7, 5, 3, 1]
    assert [each.tape_sequence for each in store.newest(9, trader="a", instrument="binance:0")] == [6, 0]


def test_a_batch_is_stored_whole_or_not_at_all(opened, url):
    store = opened()
    breaks = Signal(
        **{name: getattr(signal(2), name) for name in Signal.__struct_fields__ if name != "trader"}, trader=None
    )
    with pytest.raises(StorageError, match="2 signals could not be stored: NOT NULL"):
        store.add([signal(1), breaks])
    assert everything(store) == []
    store.add([signal(1)])
    assert (store.stored, len(everything(store))) == (1, 1)


def test_a_commit_is_on_disk_and_readers_do_not_wait_for_the_writer(opened, url):
    store = opened()
    store.add([signal(1)])
    with store._engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
    writer = sqlite3.connect(url.removeprefix("sqlite:///"))
    writer.execute("BEGIN IMMEDIATE")
    writer.execute("DELETE FROM signals")
    reader = SignalStore(open_existing(url), run="")
    assert reader.newest(10) == [signal(1)]
    reader._engine.dispose()
    writer.rollback()
    writer.close()


def test_two_writers_wait_for_each_other(opened):
    stores = [opened(), opened()]

    def write(store, first):
        for number in range(first, first + 40):
            store.add([signal(number)])

    threads = [threading.Thread(target=write, args=(store, 100 * index)) for index, store in enumerate(stores)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(stores[0].newest(1_000)) == 80


# Opening


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        (
            "sqlite:////no/such/folder/floor.db",
            "cannot write the database sqlite:////no/such/folder/floor.db: unable to open",
        ),
        ("sqlite:////proc/floor.db", "unable to open"),
        ("nonsense", "the database URL 'nonsense' cannot be used"),
        ("postgresql+no_such_driver://x", "cannot be used"),
        ("mysql+pymysql://u:secret@h/d", "cannot be used"),
    ],
)
def test_a_database_that_cannot_be_opened_is_an_error_that_says_why(url, reason):
    with pytest.raises(StorageError) as caught:
        open_database(url)
    assert reason in str(caught.value)
    assert "secret" not in str(caught.value)
    assert "[SQL" not in str(caught.value)


def test_a_folder_is_no_database(tmp_path):
    with pytest.raises(StorageError, match="unable to open database file"):
        open_database(f"sqlite:///{tmp_path}")


def test_a_file_that_is_no_database_is_left_alone(tmp_path):
    path = tmp_path / "notes.db"
    path.write_text("these are my notes, and no database " * 50)
    with pytest.raises(StorageError, match="file is not a database"):
        open_database(f"sqlite:///{path}")
    assert path.read_text().startswith("these are my notes")


def test_a_database_that_may_only_be_read_says_so_at_once(url):
    open_database(url).dispose()
    with pytest.raises(StorageError, match="readonly database"):
        open_database(f"sqlite:///file:{url.removeprefix('sqlite:///')}?mode=ro&uri=true")


def test_a_database_is_opened_to_read_without_a_change(opened, url, tmp_path):
    opened().add([signal(1)])
    before = Path(url.removeprefix("sqlite:///")).read_bytes()
    engine = open_existing(f"sqlite:///file:{url.removeprefix('sqlite:///')}?mode=ro&uri=true")
    assert SignalStore(engine, run="").newest(5) == [signal(1)]
    engine.dispose()
    assert Path(url.removeprefix("sqlite:///")).read_bytes() == before


def test_a_database_that_is_not_there_is_not_made_by_reading(tmp_path):
    with pytest.raises(DatabaseMissingError, match=r"there is no database .*none\.db; a replay or the demo makes one"):
        open_existing(f"sqlite:///{tmp_path}/none.db")
    assert list(tmp_path.iterdir()) == []


def test_somebody_else_s_database_is_not_read(tmp_path):
    engine = create_engine(f"sqlite:///{tmp_path}/other.db")
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE mine (x)")
    engine.dispose()
    with pytest.raises(StorageError, match="is no database of tickfloor's"):
        open_existing(f"sqlite:///{tmp_path}/other.db")
