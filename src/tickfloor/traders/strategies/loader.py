"""A strategy's class from its local file.

Loading runs the file. So it is done where the strategy would run, under its blame, and the only caller besides is
``tickfloor rules check``, which the user starts for a file of their own.
"""

import inspect
import sys
import traceback
from itertools import count
from pathlib import Path
from types import CodeType, ModuleType

from tickfloor.contracts.traders import TraderSpec, code_digest
from tickfloor.traders.strategies.declared import declared_by
from tickfloor.traders.strategies.errors import StrategyError
from tickfloor.traders.strategies.said import brief
from tickfloor.traders.strategies.strategy import Strategy

_loaded = count(1)


class LoadedStrategy:
    """A strategy's class, in a module of its own: two traders of one file share nothing.

    Attributes:
        make: the class.
        declared: its columns, rules and budget.
    """

    def __init__(self, spec: TraderSpec) -> None:
        """Run the file that a spec names.

        Raises:
            StrategyError: there is no such file or class, the file has changed since its rules file was read, it is
                not Python, running it fails, or what the class declares is not valid.
        """
        file, _, name = spec.strategy.rpartition(":")
        code = _compiled(file, _source(Path(file), spec))
        self._module = ModuleType(f"tickfloor_strategy_{next(_loaded)}")
        self._module.__file__ = file
        sys.modules[self._module.__name__] = self._module  # dataclasses and their like look it up there
        try:
            exec(code, self._module.__dict__)  # noqa: S102 - the user's own local file
            self.make = _class_of(self._module, file, name)
            self.declared = declared_by(self.make, spec)
        except (Exception, SystemExit) as error:
            self.unload()
            if isinstance(error, StrategyError):
                raise
            raise StrategyError(f"{file}{_line_of(error, file)}: {brief(error)}") from error

    def globals(self) -> list[object]:
        """Return what the file and its class hold by name, apart from Python's own."""
        named = [found for name, found in vars(self._module).items() if name != "__builtins__"]
        return [*named, *vars(self.make).values()]

    def unload(self) -> None:
        """Forget the module."""
        sys.modules.pop(self._module.__name__, None)


def _source(path: Path, spec: TraderSpec) -> bytes:
    if not path.is_absolute():
        raise StrategyError(f"{spec.strategy!r} is no absolute path; name the strategy in a rules file")
    if not path.is_file():
        raise StrategyError(f"there is no strategy file {path}")
    try:
        source = path.read_bytes()
    except OSError as error:
        raise StrategyError(f"{path}: cannot be read: {error.strerror}") from error
    if spec.strategy_digest and code_digest(source) != spec.strategy_digest:
        raise StrategyError(f"{path}: has changed since it was read; tickfloor traders reload runs it as it is now")
    return source


def _compiled(file: str, source: bytes) -> CodeType:
    try:
        code: CodeType = compile(source, file, "exec", dont_inherit=True)
    except SyntaxError as error:
        line = "" if error.lineno is None else f":{error.lineno}"
        raise StrategyError(f"{file}{line}: {error.msg}") from error
    except (ValueError, RecursionError, MemoryError) as error:
        raise StrategyError(f"{file}: cannot be compiled: {brief(error)}") from error
    return code


def _class_of(module: ModuleType, file: str, name: str) -> type[Strategy]:
    found = module.__dict__.get(name)
    if found is None:
        raise StrategyError(f"{file}: there is no class {name!r} in it")
    if not isinstance(found, type) or not issubclass(found, Strategy) or found is Strategy:
        raise StrategyError(f"{file}: {name} is no subclass of {Strategy.__module__}.Strategy; derive it from that")
    for method in ("on_start", "on_tick", "on_bar", "on_signal", "on_stop", "save", "restore"):
        if inspect.iscoroutinefunction(getattr(found, method)):
            raise StrategyError(f"{file}: {name}.{method} must not be async: nobody would wait for it")
    return found


def _line_of(error: BaseException, file: str) -> str:
    """Return ``:line`` of the last line of the file that the error went through, or nothing."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
    return f":{lines[-1]}" if lines else ""
