"""How often a floor has been started on this database: the fence between a supervisor and those before it."""

from sqlalchemy import Engine, func, insert, select
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from tickfloor.contracts.errors import StorageError
from tickfloor.storage.database import reason_of
from tickfloor.storage.schema import epochs


class EpochStore:
    """Counts starts; a number is never given twice."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def begin(self) -> int:
        """Return a number greater than every one before.

        Raises:
            StorageError: it could not be written down.
        """
        while True:
            try:
                with self._engine.begin() as connection:
                    last = connection.execute(select(func.max(epochs.c.epoch))).scalar_one_or_none() or 0
                    connection.execute(insert(epochs).values(epoch=last + 1))
            except IntegrityError:
                # Two floors have started at once on one database, and the other was first.
                continue
            except SQLAlchemyError as error:
                raise StorageError(f"the epoch cannot be written: {reason_of(error)}") from error
            return int(last) + 1
