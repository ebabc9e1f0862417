package peers;

import com.sun.management.OperatingSystemMXBean;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Locale;
import org.apache.flink.api.connector.sink2.Sink;
import org.apache.flink.api.connector.sink2.SinkWriter;
import org.apache.flink.api.connector.sink2.WriterInitContext;

/** The sink: counts windows, sums their features, takes times once a third of the windows have warmed up the JVM. */
final class Measure implements Sink<Result> {
    private static final OperatingSystemMXBean OS =
            (OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();

    private static Dsp dsp;
    private static int warmPackets;
    private static long warmWindows;
    private static long windows;
    private static double digest;
    private static long wall;
    private static long cpu;
    private static long wallEnd;
    private static long cpuEnd;
    /** Times of paced windows, null for throughput. */
    private static long[] latencies;
    private static int timed;

    static void start(Dsp sum, int devices, int packets, boolean paced) {
        dsp = sum;
        warmPackets = packets / 3;
        warmWindows = (long) devices * warmPackets;
        latencies = paced ? new long[devices * (packets - warmPackets)] : null;
    }

    private static void add(Result result) {
        if (windows++ == warmWindows) {
            wall = System.nanoTime();
            cpu = OS.getProcessCpuTime();
        }
        digest += dsp.sum(result.features);
        if (latencies != null && result.window >= warmPackets) latencies[timed++] = System.nanoTime() - result.arrival;
    }

    static void print(String peer, String mode, int devices, int packets) throws java.io.IOException {
        double measured = Math.max(1, windows - warmWindows);
        String rate = "null", cost = "null", quantiles = "null, \"p99_us\": null, \"p999_us\": null";
        if (latencies == null) {
            rate = number("%.0f", measured / (wallEnd - wall) * 1e9);
            cost = number("%.1f", (cpuEnd - cpu) / measured);
        } else {
            Arrays.sort(latencies, 0, timed);
            quantiles = "%s, \"p99_us\": %s, \"p999_us\": %s".formatted(quantile(0.5), quantile(0.99), quantile(0.999));
        }
        String peak = Files.readAllLines(Path.of("/proc/self/status")).stream()
                .filter(line -> line.startsWith("VmHWM")).findFirst().orElse("0").replaceAll("\\D", "");
        System.out.println(("{\"peer\": \"%s\", \"mode\": \"%s\", \"devices\": %d, \"packets\": %d, \"windows\": %d, "
                        + "\"expected\": %d, \"windows_per_s\": %s, \"cpu_ns_per_window\": %s, \"p50_us\": %s, "
                        + "\"peak_rss_mb\": %s, \"digest\": %s}")
                .formatted(peer, mode, devices, packets, windows, (long) devices * packets, rate, cost, quantiles,
                        number("%.1f", Long.parseLong(peak) / 1024.0), digest));
    }

    private static String quantile(double q) {
        return timed == 0 ? "null" : number("%.1f", latencies[(int) (q * (timed - 1))] / 1e3);
    }

    private static String number(String format, double value) {
        return String.format(Locale.ROOT, format, value);
    }

    @Override
    public SinkWriter<Result> createWriter(WriterInitContext context) {
        return new SinkWriter<>() {
            @Override
            public void write(Result result, Context context) {
                add(result);
            }

            @Override
            public void flush(boolean end) {}

            @Override
            public void close() {
                wallEnd = System.nanoTime();
                cpuEnd = OS.getProcessCpuTime();
            }
        };
    }
}
