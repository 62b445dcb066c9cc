"""What the settings mean for how workers are started, restarted, replaced and scaled."""

import time

from tickfloor.config import Config
from tickfloor.supervisor.health.monitor import HealthSettings
from tickfloor.supervisor.health.rotation import RotationSettings
from tickfloor.supervisor.pool.scaler import MOST_WORKERS
from tickfloor.supervisor.pool.scaling import ScalingSettings
from tickfloor.supervisor.restarts import RecoveryPolicy, RestartPolicy


def first_workers(config: Config, traders: int) -> int:
    """Return how many trader workers a floor begins with: never more than traders, but always one."""
    wanted = config.trader_workers
    if config.trader_workers_max:
        wanted = min(max(wanted, config.trader_workers_min), config.trader_workers_max)
    return max(1, min(wanted, traders))


def restarts(config: Config) -> RestartPolicy:
    """Return when a slot's worker is started again."""
    return RestartPolicy(intensity=config.restart_intensity, period=config.restart_period, clock=time.monotonic)


def recoveries(config: Config) -> RecoveryPolicy:
    """Return when everything is started anew."""
    return RecoveryPolicy(clock=time.monotonic, intensity=config.recovery_intensity, period=config.recovery_period)


def health(config: Config) -> HealthSettings:
    """Return how often workers are looked at."""
    return HealthSettings(
        ping_seconds=config.ping_seconds, stale_seconds=config.stale_seconds, memory_seconds=config.memory_seconds
    )


def rotation(config: Config) -> RotationSettings:
    """Return when a worker is replaced before it hurts."""
    return RotationSettings(
        memory_limit=config.worker_memory_mib << 20,
        leak_per_hour=config.leak_mib_per_hour * (1 << 20),
        most_age=config.worker_age_hours * 3600,
    )


def scaling(config: Config) -> ScalingSettings:
    """Return between which bounds the number of trader workers changes."""
    return ScalingSettings(
        least=config.trader_workers_min,
        most=config.trader_workers_max or MOST_WORKERS,
        traders_per_worker=config.traders_per_worker,
    )
