"""SciPy offline: whole recordings at once, in blocks. python scipy_peer.py <devices> <packets>

With `--reference` it prints the digest that every peer must reach, computed in f64.
"""

import json
import sys
import time

import numpy as np
from scipy.signal import sosfilt

from work import CHANNELS, PAYLOADS, SOS, WORK, BINS, dft_table, peak_rss_mb

PAIRS = 20
"""Pairs of packets in a block: 500 samples."""
STREAMS = len(PAYLOADS[0])
"""Devices with the same number modulo this send the same packets."""
SPLIT, PAIR = WORK["samples_of_packet"][0], sum(WORK["samples_of_packet"])


def block(streams, first, pairs, dtype):
    """Signal of a block, stream by channel by sample, from packet number `first`, which is even."""
    out = np.empty((streams, CHANNELS, pairs, PAIR), dtype)
    for packet in range(2 * pairs):
        chosen = PAYLOADS[packet % 2][(np.arange(streams) + first + packet) % STREAMS].transpose(0, 2, 1)
        part = slice(0, SPLIT) if packet % 2 == 0 else slice(SPLIT, PAIR)
        out[:, :, packet // 2, part] = chosen
    return out.reshape(streams * CHANNELS, pairs * PAIR)


def features(windows, table):
    """RMS and powers of windows along the last axis."""
    rms = np.sqrt(np.einsum("...n,...n->...", windows, windows) / windows.shape[-1])
    spectrum = windows @ table.T
    spectrum *= spectrum
    return rms, spectrum[..., :BINS] + spectrum[..., BINS:]


def offline(streams, packets, dtype):
    """Sums of features by stream; CPU of the filter and of everything, in ns."""
    sos, state = SOS.astype(dtype), np.zeros((len(SOS), streams * CHANNELS, 2), dtype)
    tables = [dft_table(n, dtype) for n in (SPLIT, PAIR - SPLIT)]
    sums, filter_ns, all_ns = np.zeros(streams), 0, 0
    for first in range(0, packets, 2 * PAIRS):
        pairs = min(PAIRS, (packets - first) // 2)
        signal = block(streams, first, pairs, dtype)
        begin = time.process_time_ns()
        filtered, state = sosfilt(sos, signal, axis=-1, zi=state)
        filter_ns += time.process_time_ns() - begin
        filtered = filtered.reshape(streams * CHANNELS, pairs, PAIR)
        for part, table in zip((filtered[..., :SPLIT], filtered[..., SPLIT:]), tables):
            rms, powers = features(part, table)
            per_row = rms.sum(axis=1, dtype=np.float64) + powers.sum(axis=(1, 2), dtype=np.float64)
            sums += per_row.reshape(streams, CHANNELS).sum(axis=1)
        all_ns += time.process_time_ns() - begin
    return sums, filter_ns, all_ns


if sys.argv[1] == "--reference":
    devices, packets = int(sys.argv[2]), int(sys.argv[3])
    sums, _, _ = offline(STREAMS, packets, np.float64)
    print(sum(sums[device % STREAMS] for device in range(devices)))
else:
    devices, packets = int(sys.argv[1]), int(sys.argv[2])
    offline(devices, 2 * PAIRS, np.float32)
    sums, filter_ns, all_ns = offline(devices, packets, np.float32)
    windows = devices * packets
    row = {"peer": "scipy-offline", "mode": "throughput", "devices": devices, "packets": packets}
    row |= {"windows": windows, "expected": windows}
    # The making of the signal is not counted: one thread, so that CPU is wall.
    row |= {"windows_per_s": windows / all_ns * 1e9, "cpu_ns_per_window": all_ns / windows}
    row |= {"p50_us": None, "p99_us": None, "p999_us": None, "peak_rss_mb": peak_rss_mb(), "digest": sums.sum()}
    samples = windows * PAIR / 2 * CHANNELS
    row |= {"ns_per_channel_sample": all_ns / samples, "filter_ns_per_channel_sample": filter_ns / samples}
    print(json.dumps(row))
