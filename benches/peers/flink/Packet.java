package peers;

/** What a device sends: {@code count} samples, channels innermost. A POJO, as Flink's users write it. */
public class Packet {
    public int device;
    public int number;
    public int count;
    /** When it arrived, {@link System#nanoTime}. */
    public long arrival;
    /** At least {@code count} samples. */
    public float[] values;

    public Packet() {}
}
