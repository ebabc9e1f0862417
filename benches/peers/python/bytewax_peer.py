"""Bytewax `stateful_batch`: python bytewax_peer.py <throughput | latency> <devices> <packets>."""

import sys
import time
from datetime import datetime, timedelta, timezone

import bytewax.operators as op
from bytewax.dataflow import Dataflow
from bytewax.inputs import DynamicSource, StatelessSourcePartition
from bytewax.operators import StatefulBatchLogic
from bytewax.outputs import DynamicSink, StatelessSinkPartition
from bytewax.testing import run_main

from work import Device, Measure, Pace, payload

MODE, DEVICES, PACKETS = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
measure = Measure("bytewax", MODE, DEVICES, PACKETS)
keys = [str(device) for device in range(DEVICES)]


class Packets(StatelessSourcePartition):
    """Gives what has arrived, one round of the devices at most."""

    def __init__(self):
        self.pace, self.number, self.device = Pace(MODE, DEVICES, PACKETS), 0, 0

    def next_batch(self):
        if self.number == PACKETS:
            raise StopIteration
        batch, now = [], time.monotonic_ns()
        while self.device < DEVICES:
            due = self.pace.due(self.device, self.number)
            if due > now:
                return batch
            batch.append((keys[self.device], (due, payload(self.device, self.number))))
            self.device += 1
        self.device, self.number = 0, self.number + 1
        return batch

    def next_awake(self):
        if self.number == PACKETS:
            return None
        due = self.pace.due(self.device, self.number)
        if not due:
            return None
        return datetime.now(timezone.utc) + timedelta(microseconds=(due - time.monotonic_ns()) / 1e3)


class Source(DynamicSource):
    def build(self, step_id, worker_index, worker_count):
        return Packets()


class Windows(StatefulBatchLogic):
    def __init__(self):
        self.device = Device()

    def on_batch(self, values):
        out = []
        for arrival, packet in values:
            out += ((number, arrival, features) for number, features in self.device.push(packet))
        return out, StatefulBatchLogic.RETAIN

    def snapshot(self):
        return None


class Sink(DynamicSink):
    def build(self, step_id, worker_index, worker_count):
        return SinkPartition()


class SinkPartition(StatelessSinkPartition):
    def write_batch(self, items):
        for _, (number, arrival, features) in items:
            measure.window(number, arrival, features)


flow = Dataflow("peer")
packets = op.input("packets", flow, Source())
windows = op.stateful_batch("windows", packets, lambda state: Windows())
op.output("sink", windows, Sink())
run_main(flow)
measure.report()
