package peers;

/** The features of one window. */
public class Result {
    public int device;
    public int window;
    /** When the packet arrived that closed the window. */
    public long arrival;
    public float[] features;

    public Result() {}
}
