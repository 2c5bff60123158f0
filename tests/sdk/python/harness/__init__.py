"""What the tests start, and what they look at: the gateway, a Redis, the simulated platforms."""

from .bare_simulator import bare_simulator
from .demo import Demo
from .redis_server import RedisServer
from .served import Served
from .simulated import Simulated
from .wait import until

__all__ = ["Demo", "RedisServer", "Served", "Simulated", "bare_simulator", "until"]
