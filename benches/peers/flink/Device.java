package peers;

import org.apache.flink.util.Collector;

/** State of one device in the hand-tuned peers. A window closes when the packet arrives that completes it. */
public class Device {
    public float[] filter = new float[Work.STATE];
    public float[] samples = new float[Work.LONGEST * Work.CHANNELS];
    public int filled;
    public int window;

    public Device() {}

    static Result blank() {
        Result result = new Result();
        result.features = new float[Work.FEATURES];
        return result;
    }

    /** Filters the packet into the open window; {@code result} is used again for every window that closes. */
    void push(Packet packet, Dsp dsp, Result result, Collector<Result> out) {
        int from = 0;
        while (from < packet.count) {
            int size = Work.samples(window);
            int taken = Math.min(packet.count - from, size - filled);
            dsp.filter(packet.values, from, taken, filter, samples, filled);
            from += taken;
            filled += taken;
            if (filled < size) continue;
            dsp.features(samples, size, result.features);
            result.device = packet.device;
            result.window = window++;
            result.arrival = packet.arrival;
            filled = 0;
            out.collect(result);
        }
    }
}
