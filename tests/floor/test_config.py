from pathlib import Path

import pytest

from tickfloor.config import Config, load
from tickfloor.contracts.errors import ConfigError


@pytest.fixture
def write(tmp_path):
    def write(text):
        path = tmp_path / "floor.toml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


def refused(path=None, **environment):
    with pytest.raises(ConfigError) as caught:
        load(path, {f"TICKFLOOR_{name.upper()}": value for name, value in environment.items()})
    return str(caught.value)


def test_without_file_and_variables_there_are_defaults():
    assert load(None, {}) == Config()


def test_a_file_is_over_the_defaults_and_a_variable_over_the_file(write):
    path = write('tape_records = 1024\ntrader_workers = 3\nlog_level = "debug"\n')
    found = load(path, {"TICKFLOOR_TRADER_WORKERS": "5", "TICKFLOOR_RESTART_PERIOD": "0.5"})
    assert found == Config(tape_records=1024, trader_workers=5, log_level="debug", restart_period=0.5)


def test_other_variables_are_nobody_s_business():
    assert load(None, {"TICKFLOOR_CONFIG": "x", "TICKFLOOR_DATA": "y", "tape_records": "3"}) == Config()


def test_a_variable_that_looks_like_a_setting_and_is_none_is_refused():
    with pytest.raises(ConfigError, match="TICKFLOOR_TRADER_WORKER: there is no such setting; there are"):
        load(None, {"TICKFLOOR_TRADER_WORKER": "2"})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "tape_recrods = 1",
            "unknown setting 'tape_recrods'; there are begins, board_depth, board_instruments",
        ),
        ("tape_records = 1000", "tape_records: tape_records must be a power of two, not 1,000"),
        ("tape_records = 128", "tape_records must be between 256 and 4,294,967,296, not 128"),
        ('tape_records = "many"', "tape_records: Expected `int`, got `str` - at `$.tape_records`"),
        ("trader_workers = 17", "trader_workers must be between 1 and 16, not 17"),
        ("trader_workers = 1.5", "Expected `int`, got `float`"),
        ('log_level = "loud"', "log_level: Invalid enum value 'loud'"),
        ("shutdown_seconds = 0", "shutdown_seconds must be above 0 and at most 86,400 seconds, not 0"),
        ("restart_period = nan", "restart_period must be above 0"),
        ("restart_intensity = -1", "restart_intensity must be between 0"),
        ("database = 7", "database: Expected `str`, got `int`"),
        ("database = ", "Invalid value"),
        ('begins = "yesterday"', "begins must be a time from 1970 on, with its zone, such as 2021-04-04T12:00:00Z"),
        ('begins = "2021-04-04T12:00:00"', "with its zone, such as 2021-04-04T12:00:00Z, not '2021-04-04T12:00:00'"),
        ("begins = 2021-04-04T12:00:00", "with its zone, such as 2021-04-04T12:00:00Z, not '2021-04-04T12:00:00'"),
        ('begins = "1969-12-31T23:59:59Z"', "begins must be a time from 1970 on"),
        ('begins = "9999-01-01T00:00:00Z"', "begins must be a time from 1970 on"),
        ("begins = 1617537600", "begins: Expected `str`, got `int`"),
        ("[floor]\ndatabase = 'x'", "unknown setting 'floor'"),
        (b"database = '\xff'", "can't decode byte 0xff"),
    ],
)
def test_an_error_names_file_and_setting(write, text, message):
    path = write(text)
    found = refused(path)
    assert found.startswith(str(path))
    assert message in found


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("tape_records", "1000", "must be a power of two"),
        ("tape_records", "", "Expected `int`"),
        ("restart_period", "inf", "must be above 0 and at most"),
        ("shutdown_seconds", "nan", "must be above 0"),
        ("log_form", "xml", "Invalid enum value 'xml'"),
    ],
)
def test_an_error_names_the_variable(name, value, message):
    found = refused(**{name: value})
    assert found.startswith(f"TICKFLOOR_{name.upper()}: ")
    assert message in found


def test_a_variable_s_error_is_not_blamed_on_the_file(write):
    assert refused(write("tape_records = 1024"), tape_records="7").startswith("TICKFLOOR_TAPE_RECORDS: ")


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    assert refused(tmp_path) == f"{tmp_path}: cannot be read: Is a directory"


def test_a_database_is_a_path_or_a_url():
    assert Config(database="some.db").database_url == f"sqlite:///{Path.cwd()}/some.db"
    assert Config(database="postgresql://h/d").database_url == "postgresql://h/d"


@pytest.mark.parametrize(
    "text",
    ['"2021-04-04T12:00:00.5Z"', '"2021-04-04T14:00:00.5+02:00"', "2021-04-04T12:00:00.5Z", '"2021-04-04 12:00:00.5Z"'],
)
def test_a_beginning_is_a_time_in_any_zone_as_text_or_as_toml_has_it(write, text):
    assert load(write(f"begins = {text}"), {}).begins_ns == 1_617_537_600_500_000_000


def test_a_beginning_may_be_a_variable_and_without_one_it_is_now():
    assert load(None, {"TICKFLOOR_BEGINS": "1970-01-01T00:00:01Z"}).begins_ns == 1_000_000_000
    assert load(None, {}).begins_ns == 0
