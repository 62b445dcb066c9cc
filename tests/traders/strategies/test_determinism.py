"""Random tapes: strategies give the same signals however they are run, cut, handed over and spread."""

from collections.abc import Iterator
from random import Random

from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from tests.traders.market import BoardMarket
from tests.traders.strategies import witness
from tests.traders.strategies.hosting import Hosting, sample
from tests.traders.streams import tape
from tickfloor.contracts.bars import BarField
from tickfloor.contracts.intervals import LABELS
from tickfloor.contracts.records import RECORD, Kind
from tickfloor.traders.strategies.checkpoint import DECODER

seeds = st.integers(0, 2**32)
pace = st.sampled_from([20_000, 90_000, 240_000])


def bounded(examples: int):
    # Seeds have nothing to shrink, and a failure should be said within the minute.
    return settings(max_examples=examples, deadline=None, database=None, phases=[Phase.explicit, Phase.generate])


def chosen(random: Random):
    return [
        sample(
            random.choice(["Counting", "Counting", "Failing"]),
            name=f"strategy-{number}",
            interval=random.choice(["1m", "5m", "15m"]),
            symbols=random.choice([("*",), ("*USDT",), ("binance:ethbtc", "BTC*")]),
        )
        for number in range(6)
    ]


def batches(records: list[bytes], random: Random) -> Iterator[bytes]:
    start = 0
    while start < len(records):
        end = start + random.choice([1, 2, 3, random.randrange(1, 60)])
        yield b"".join(records[start:end])
        start = end


def in_order(signals):
    return sorted(signals, key=lambda signal: (signal.tape_sequence, signal.trader))


@bounded(15)
@given(seeds, seeds, seeds, pace)
def test_a_successor_goes_on_as_if_it_had_always_been_there(spec_seed, tape_seed, cut_seed, longest_step_ms):
    specs, records = chosen(Random(spec_seed)), tape(tape_seed, 300, longest_step_ms=longest_step_ms)
    hosting, random = Hosting(), Random(cut_seed)
    whole = hosting.host(*specs)
    expected = whole.process(b"".join(records))
    assert len({signal.id for signal in expected}) == len(expected)
    host, got = hosting.host(*specs), []
    for batch in batches(records, random):
        got += host.process(batch)
        if random.random() < 0.1:  # loading the files anew takes time
            blob = host.checkpoint()
            host = hosting.host(*random.sample(specs, len(specs)))
            host.restore([blob])
            got += host.process(batch)  # what it has been given already is skipped
    assert got == expected
    assert [each.calls for each in host.statistics().strategies] == [
        each.calls for each in whole.statistics().strategies
    ]
    assert DECODER.decode(host.checkpoint()) == DECODER.decode(whole.checkpoint())


@bounded(15)
@given(seeds, seeds, seeds)
def test_strategies_that_are_spread_anew_again_and_again_miss_and_double_nothing(spec_seed, tape_seed, spread_seed):
    specs, records = chosen(Random(spec_seed)), tape(tape_seed, 300)
    hosting, random = Hosting(), Random(spread_seed)
    expected = hosting.host(*specs).process(b"".join(records))
    hosts, got = [hosting.host(*specs), hosting.host()], []
    for batch in batches(records, random):
        for host in hosts:
            got += host.process(batch)
        if random.random() < 0.1:  # loading the files anew takes time
            blobs = [host.checkpoint() for host in hosts]
            shares = [[], [], []]
            for spec in specs:
                random.choice(shares).append(spec)
            hosts = [hosting.host(*share) for share in shares]
            for host in hosts:
                host.restore(random.sample(blobs, len(blobs)))
    assert in_order(got) == expected


@bounded(15)
@given(seeds, st.booleans())
def test_bars_are_those_of_the_feed(seed, late):
    witness.seen.clear()
    market = BoardMarket(Random(seed), depth=50, longest_step_ms=50_000, late=late)
    try:
        host = Hosting().host(
            *(sample("Bars", name=label, interval=label) for label in LABELS), describe=market.describe
        )
        seen = set()
        for _ in range(300):
            market.batch(1)
            records = b"".join(market.tape.records[host.position :])
            assert host.process(records) == []
            for bar in witness.seen:
                row = next(each.id for each in market.instruments if each.key == bar.instrument)
                closed = {
                    int(each[BarField.START_MS]): each for each in market.reader.bars(row, bar.interval, 50).closed
                }
                board = closed[bar.ts_start // 1_000_000]
                if not revised(records, bar):
                    assert [
                        bar.open, bar.high, bar.low, bar.close, bar.volume, bar.quote_volume, bar.buy_volume, bar.trades
                    ] == board[1:9]  # fmt: skip
                seen.add(bar.interval)
            witness.seen.clear()
        assert len(seen) >= 3
        assert host.statistics().bars_missed == 0
    finally:
        market.close()


def revised(records: bytes, bar) -> bool:
    """Return whether a bar was changed after its close, in the same batch."""
    return any(kind == Kind.BAR_REVISED for _, _, _, _, kind, *_ in RECORD.iter_unpack(records))
