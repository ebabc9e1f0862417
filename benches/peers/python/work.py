"""The work every Python peer does, read from work.json: prepared packets, one device's processing, and the measuring."""

import json
import time
from pathlib import Path

import numpy as np
from scipy.signal import sosfilt

WORK = json.loads((Path(__file__).parent.parent / "work.json").read_text())
CHANNELS, BINS, PERIOD_NS = WORK["channels"], WORK["bins"], WORK["window_ms"] * 1_000_000
SOS = np.array(WORK["sos"], np.float32)


def size(number):
    """Samples of a packet, and of a window: the packets fit the windows."""
    return WORK["samples_of_packet"][number % 2]


def payloads():
    """Arrays of phase 0 and of phase 1, each payload by sample by channel."""
    signal, arrays = WORK["signal"], []
    state = signal["seed"]
    for phase in (0, 1):
        shape = (signal["payloads_of_phase"], size(phase), CHANNELS)
        values = np.empty(np.prod(shape))
        for i in range(values.size):
            state = (state * signal["multiplier"] + signal["increment"]) % 2**32
            values[i] = ((state >> 8) - 8388608) * 100 / 8388608
        arrays.append(values.reshape(shape).astype(np.float32))
    return arrays


PAYLOADS = payloads()


def payload(device, number):
    phase = PAYLOADS[number % 2]
    return phase[(device + number) % len(phase)]


def dft_table(n, dtype=np.float32):
    """Rows: the real parts of all bins, then the imaginary parts; scaled so that the squares are powers."""
    angle = 2 * np.pi * np.outer(np.arange(BINS), np.arange(n)) / n
    return (np.concatenate([np.cos(angle), -np.sin(angle)]) / n).astype(dtype)


TABLES = {n: dft_table(n) for n in WORK["samples_of_packet"]}


class Device:
    """Filter state and open window of one device. A window closes when the packet arrives that completes it."""

    def __init__(self):
        self.state = np.zeros((len(SOS), 2, CHANNELS), np.float32)
        self.samples = np.empty((max(WORK["samples_of_packet"]), CHANNELS), np.float32)
        self.filled = 0
        self.window = 0

    def push(self, packet):
        """Yields the number and the features of each window that the packet closes."""
        filtered, self.state = sosfilt(SOS, packet, axis=0, zi=self.state)
        while len(filtered):
            n = size(self.window)
            taken = min(n - self.filled, len(filtered))
            self.samples[self.filled : self.filled + taken] = filtered[:taken]
            filtered = filtered[taken:]
            self.filled += taken
            if self.filled == n:
                yield self.window, features(self.samples[:n])
                self.window += 1
                self.filled = 0


def features(window):
    out = np.empty((1 + BINS, CHANNELS), np.float32)
    np.sqrt(np.einsum("nc,nc->c", window, window) / len(window), out=out[0])
    spectrum = TABLES[len(window)] @ window
    spectrum *= spectrum
    np.add(spectrum[:BINS], spectrum[BINS:], out=out[1:])
    return out


class Pace:
    """When packets arrive: at once in the warming third and for throughput, else spread evenly over each 50 ms."""

    def __init__(self, mode, devices, packets):
        self.devices, self.warm, self.paced, self.start = devices, packets // 3, mode != "throughput", None

    def due(self, device, number):
        """In ns of time.monotonic_ns, or 0 for at once."""
        if not self.paced or number < self.warm:
            return 0
        if self.start is None:
            self.start = time.monotonic_ns() + 500_000_000
        return self.start + (number - self.warm) * PERIOD_NS + device * PERIOD_NS // self.devices


class Measure:
    """Counts windows and sums their features; takes times once a third of the windows have warmed up the process."""

    def __init__(self, peer, mode, devices, packets):
        self.row = {"peer": peer, "mode": mode, "devices": devices, "packets": packets}
        self.warm, self.expected = devices * (packets // 3), devices * packets
        self.warm_packets, self.windows, self.digest, self.latencies = packets // 3, 0, 0.0, []
        self.times = (0, 0)

    def window(self, number, arrival, values):
        if self.windows == self.warm:
            self.times = (time.monotonic_ns(), time.process_time_ns())
        self.windows += 1
        self.digest += float(values.sum(dtype=np.float64))
        if arrival and number >= self.warm_packets:
            self.latencies.append(time.monotonic_ns() - arrival)

    def report(self):
        wall, cpu = time.monotonic_ns() - self.times[0], time.process_time_ns() - self.times[1]
        measured = max(1, self.windows - self.warm)
        paced = self.row["mode"] != "throughput"
        quantiles = np.quantile(self.latencies, [0.5, 0.99, 0.999]) / 1e3 if self.latencies else [None] * 3
        self.row |= {
            "windows": self.windows,
            "expected": self.expected,
            "windows_per_s": None if paced else measured / wall * 1e9,
            "cpu_ns_per_window": None if paced else cpu / measured,
            **dict(zip(("p50_us", "p99_us", "p999_us"), quantiles)),
            "peak_rss_mb": peak_rss_mb(),
            "digest": self.digest,
        }
        print(json.dumps(self.row), flush=True)


def peak_rss_mb():
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024
