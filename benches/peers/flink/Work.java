package peers;

import java.nio.file.Files;
import java.nio.file.Path;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.JsonNode;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.ObjectMapper;

/** What every peer works on, read from work.json (system property {@code work}): the filter and the prepared packets. */
final class Work {
    static final int CHANNELS = 8;
    static final int BINS = 7;
    /** Features of a window, feature by feature: RMS, then the power of each bin, each with all channels. */
    static final int FEATURES = (1 + BINS) * CHANNELS;
    /** Floats of one device's filter state: two for each of the four sections and channel. */
    static final int STATE = 4 * 2 * CHANNELS;
    static final int LONGEST = 13;
    static final long WINDOW_MS = 50;
    private static final int SAMPLE_MS = 4;

    /** Section by section: b0 b1 b2 a1 a2. */
    static final float[][] SECTIONS = new float[4][5];
    private static final float[][][] PAYLOADS = new float[2][][];

    static {
        JsonNode work = read();
        for (int s = 0; s < 4; s++) {
            int[] columns = {0, 1, 2, 4, 5};
            for (int i = 0; i < 5; i++) SECTIONS[s][i] = (float) work.at("/sos/" + s + "/" + columns[i]).asDouble();
        }
        JsonNode signal = work.get("signal");
        long state = signal.get("seed").asLong();
        long multiplier = signal.get("multiplier").asLong();
        long increment = signal.get("increment").asLong();
        for (int phase = 0; phase < 2; phase++) {
            PAYLOADS[phase] = new float[signal.get("payloads_of_phase").asInt()][samples(phase) * CHANNELS];
            for (float[] payload : PAYLOADS[phase]) {
                for (int i = 0; i < payload.length; i++) {
                    state = (state * multiplier + increment) & 0xffffffffL;
                    payload[i] = (float) (((state >> 8) - 8388608) * 100.0 / 8388608.0);
                }
            }
        }
    }

    private Work() {}

    private static JsonNode read() {
        try {
            return new ObjectMapper().readTree(Files.readString(Path.of(System.getProperty("work", "work.json"))));
        } catch (java.io.IOException error) {
            throw new java.io.UncheckedIOException(error);
        }
    }

    /** Samples of packet {@code p}, and of window {@code p}: the packets fit the windows. */
    static int samples(long p) {
        return p % 2 == 0 ? 13 : 12;
    }

    static float[] payload(int device, int p) {
        float[][] phase = PAYLOADS[p % 2];
        return phase[(device + p) % phase.length];
    }

    /** Event time of the last sample of packet {@code p}. */
    static long lastSampleMs(long p) {
        return (25 * (p / 2) + 13 * (p % 2) + samples(p) - 1) * SAMPLE_MS;
    }

    /** Rows of samples, each cos and sin of bins 1 to 6, for a DFT of {@code n} points. */
    static float[] table(int n) {
        float[] table = new float[n * 12];
        for (int i = 0; i < n; i++) {
            for (int k = 1; k < BINS; k++) {
                double angle = 2 * Math.PI * k * i / n;
                table[i * 12 + 2 * k - 2] = (float) Math.cos(angle);
                table[i * 12 + 2 * k - 1] = (float) -Math.sin(angle);
            }
        }
        return table;
    }
}
