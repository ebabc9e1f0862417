"""Three ezmsg units in one process, one device: python ezmsg_peer.py <throughput | latency> <packets>."""

import asyncio
import sys
import time
from collections.abc import AsyncGenerator
from dataclasses import dataclass

import ezmsg.core as ez
import numpy as np

from work import Device, Measure, Pace, payload

MODE, PACKETS = sys.argv[1], int(sys.argv[2])
measure = Measure("ezmsg", MODE, 1, PACKETS)


@dataclass
class Message:
    number: int
    arrival: int
    values: np.ndarray


class Packets(ez.Unit):
    OUTPUT = ez.OutputStream(Message)

    @ez.publisher(OUTPUT)
    async def send(self) -> AsyncGenerator:
        pace = Pace(MODE, 1, PACKETS)
        for number in range(PACKETS):
            if due := pace.due(0, number):
                await asyncio.sleep(max(0, due - time.monotonic_ns()) / 1e9)
            # The event loop wakes late; a packet arrives when it is published.
            yield self.OUTPUT, Message(number, time.monotonic_ns() if due else 0, payload(0, number))


class Windows(ez.Unit):
    INPUT = ez.InputStream(Message)
    OUTPUT = ez.OutputStream(Message)

    async def initialize(self) -> None:
        self.device = Device()

    @ez.subscriber(INPUT)
    @ez.publisher(OUTPUT)
    async def work(self, message: Message) -> AsyncGenerator:
        for number, features in self.device.push(message.values):
            yield self.OUTPUT, Message(number, message.arrival, features)


class Sink(ez.Unit):
    INPUT = ez.InputStream(Message)

    @ez.subscriber(INPUT)
    async def count(self, message: Message) -> None:
        measure.window(message.number, message.arrival, message.values)
        if measure.windows == PACKETS:
            measure.report()
            raise ez.NormalTermination


packets, windows, sink = Packets(), Windows(), Sink()
ez.run(
    components={"PACKETS": packets, "WINDOWS": windows, "SINK": sink},
    connections=((packets.OUTPUT, windows.INPUT), (windows.OUTPUT, sink.INPUT)),
    force_single_process=True,
)
