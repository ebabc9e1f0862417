package peers;

import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.apache.flink.api.connector.source.Boundedness;
import org.apache.flink.api.connector.source.ReaderOutput;
import org.apache.flink.api.connector.source.Source;
import org.apache.flink.api.connector.source.SourceReader;
import org.apache.flink.api.connector.source.SourceReaderContext;
import org.apache.flink.api.connector.source.SplitEnumerator;
import org.apache.flink.api.connector.source.SplitEnumeratorContext;
import org.apache.flink.api.connector.source.lib.NumberSequenceSource.NumberSequenceSplit;
import org.apache.flink.core.io.InputStatus;
import org.apache.flink.core.io.SimpleVersionedSerializer;

/**
 * The prepared packets, round by round of the devices. The first third, which warms up, comes as fast as it is taken. The
 * rest too for throughput; paced, a device's packets are 50 ms apart and the devices are spread evenly over that time.
 */
final class PacketSource implements Source<Packet, NumberSequenceSplit, Void> {
    enum Pace {
        /** As fast as possible. */
        NONE,
        /** The source's thread spins until a packet is due. */
        SPIN,
        /** The source's thread parks; another, which spins, completes its future when a packet is due. */
        PARK
    }

    private static final long PERIOD_NS = Work.WINDOW_MS * 1_000_000;
    /** From the end of warm-up to the first paced packet, for what is still under way. */
    private static final long SETTLE_NS = 500_000_000;

    private final int devices;
    private final int packets;
    private final Pace pace;

    PacketSource(int devices, int packets, Pace pace) {
        this.devices = devices;
        this.packets = packets;
        this.pace = pace;
    }

    private final class Reader implements SourceReader<Packet, NumberSequenceSplit> {
        private final Packet packet = new Packet();
        private final CompletableFuture<Void> now = CompletableFuture.completedFuture(null);
        private final int warm = packets / 3;
        private int number;
        private int device;
        private long start;
        private volatile Alarm alarm;

        private long due() {
            return start + (number - warm) * PERIOD_NS + device * PERIOD_NS / devices;
        }

        private boolean paced() {
            if (pace == Pace.NONE || number < warm) return false;
            if (start == 0) start = System.nanoTime() + SETTLE_NS;
            return true;
        }

        @Override
        public InputStatus pollNext(ReaderOutput<Packet> output) {
            if (number == packets) return InputStatus.END_OF_INPUT;
            if (paced()) {
                packet.arrival = due();
                if (pace == Pace.PARK && System.nanoTime() < packet.arrival) return InputStatus.NOTHING_AVAILABLE;
                while (System.nanoTime() < packet.arrival) Thread.onSpinWait();
            }
            packet.device = device;
            packet.number = number;
            packet.count = Work.samples(number);
            packet.values = Work.payload(device, number);
            output.collect(packet, Work.lastSampleMs(number));
            if (++device == devices) {
                device = 0;
                number++;
            }
            return InputStatus.MORE_AVAILABLE;
        }

        @Override
        public CompletableFuture<Void> isAvailable() {
            if (pace != Pace.PARK || number == packets || !paced() || System.nanoTime() >= due()) return now;
            if (alarm == null) {
                alarm = new Alarm();
                alarm.start();
            }
            return alarm.at(due());
        }

        @Override
        public void close() {
            if (alarm != null) alarm.ended = true;
        }

        @Override
        public void start() {}

        @Override
        public List<NumberSequenceSplit> snapshotState(long checkpoint) {
            return List.of();
        }

        @Override
        public void addSplits(List<NumberSequenceSplit> splits) {}

        @Override
        public void notifyNoMoreSplits() {}
    }

    /** Stands for the world outside: completes a future when it is due. */
    private static final class Alarm extends Thread {
        private record Request(long due, CompletableFuture<Void> future) {}

        private volatile Request request;
        volatile boolean ended;

        Alarm() {
            super("alarm");
            setDaemon(true);
        }

        CompletableFuture<Void> at(long due) {
            Request made = request;
            if (made != null && made.due == due) return made.future;
            request = new Request(due, new CompletableFuture<>());
            // Flink may still wait for the one before, when a packet was taken in the moment it became due.
            if (made != null) made.future.complete(null);
            return request.future;
        }

        @Override
        public void run() {
            Request done = null;
            while (!ended) {
                Request next = request;
                if (next != done && System.nanoTime() >= next.due) {
                    next.future.complete(null);
                    done = next;
                } else {
                    Thread.onSpinWait();
                }
            }
        }
    }

    /** Has no splits to give: one reader makes all. */
    private record NoSplits() implements SplitEnumerator<NumberSequenceSplit, Void> {
        @Override
        public void start() {}

        @Override
        public void handleSplitRequest(int subtask, String host) {}

        @Override
        public void addSplitsBack(List<NumberSequenceSplit> splits, int subtask) {}

        @Override
        public void addReader(int subtask) {}

        @Override
        public Void snapshotState(long checkpoint) {
            return null;
        }

        @Override
        public void close() {}
    }

    @Override
    public Boundedness getBoundedness() {
        return Boundedness.BOUNDED;
    }

    @Override
    public SourceReader<Packet, NumberSequenceSplit> createReader(SourceReaderContext context) {
        return new Reader();
    }

    @Override
    public SplitEnumerator<NumberSequenceSplit, Void> createEnumerator(
            SplitEnumeratorContext<NumberSequenceSplit> context) {
        return new NoSplits();
    }

    @Override
    public SplitEnumerator<NumberSequenceSplit, Void> restoreEnumerator(
            SplitEnumeratorContext<NumberSequenceSplit> context, Void checkpoint) {
        return new NoSplits();
    }

    @Override
    public SimpleVersionedSerializer<NumberSequenceSplit> getSplitSerializer() {
        return new org.apache.flink.api.connector.source.lib.NumberSequenceSource(0, 0).getSplitSerializer();
    }

    @Override
    public SimpleVersionedSerializer<Void> getEnumeratorCheckpointSerializer() {
        return null;
    }
}
