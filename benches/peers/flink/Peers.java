package peers;

import java.time.Duration;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.datastream.DataStreamUtils;
import org.apache.flink.streaming.api.datastream.KeyedStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.KeyedProcessFunction;
import org.apache.flink.streaming.api.functions.ProcessFunction;
import org.apache.flink.streaming.api.functions.windowing.ProcessWindowFunction;
import org.apache.flink.streaming.api.windowing.assigners.TumblingEventTimeWindows;
import org.apache.flink.streaming.api.windowing.windows.TimeWindow;
import org.apache.flink.util.Collector;

/** Flink, four ways: {@code Peers <peer> <throughput | latency-spin | latency-park> <devices> <packets>}. */
public final class Peers {
    private Peers() {}

    public static void main(String[] args) throws Exception {
        String peer = args[0], mode = args[1];
        int devices = Integer.parseInt(args[2]), packets = Integer.parseInt(args[3]);
        PacketSource.Pace pace = switch (mode) {
            case "latency-spin" -> PacketSource.Pace.SPIN;
            case "latency-park" -> PacketSource.Pace.PARK;
            default -> PacketSource.Pace.NONE;
        };
        Dsp dsp = peer.equals("flink-window") ? new Dsp.Scalar() : new VectorDsp();
        PacketSource source = new PacketSource(devices, packets, pace);
        Measure.start(dsp, devices, packets, pace != PacketSource.Pace.NONE);
        StreamExecutionEnvironment env = environment();
        DataStream<Result> results = switch (peer) {
            case "flink-window", "flink-window-vector" -> windowApi(env, source, dsp);
            case "flink-keyed-vector" -> keyed(env, source, dsp, pace);
            case "flink-chained-vector" -> chained(env, source, dsp);
            default -> throw new IllegalArgumentException("no such peer: " + peer);
        };
        results.sinkTo(new Measure());
        try {
            env.execute(peer);
            Measure.print(peer, mode, devices, packets);
            System.exit(0);
        } catch (Exception error) {
            error.printStackTrace();
            System.exit(1);
        }
    }

    private static StreamExecutionEnvironment environment() {
        Configuration configuration = new Configuration();
        configuration.setString("taskmanager.memory.network.min", "64mb");
        configuration.setString("taskmanager.memory.network.max", "64mb");
        StreamExecutionEnvironment env = StreamExecutionEnvironment.createLocalEnvironment(1, configuration);
        env.getConfig().enableObjectReuse();
        return env;
    }

    /** As its users write it. The second keyed stream is declared, not shuffled again: the filter leaves the key alone. */
    private static DataStream<Result> windowApi(StreamExecutionEnvironment env, PacketSource source, Dsp dsp) {
        env.getConfig().setAutoWatermarkInterval(1);
        env.setBufferTimeout(1);
        WatermarkStrategy<Packet> late = WatermarkStrategy.forBoundedOutOfOrderness(Duration.ofMillis(10));
        DataStream<Packet> filtered = env.fromSource(source, late, "packets", TypeInformation.of(Packet.class))
                .keyBy(packet -> packet.device)
                .process(new Filter(dsp));
        KeyedStream<Packet, Integer> keyed =
                DataStreamUtils.reinterpretAsKeyedStream(filtered, packet -> packet.device);
        return keyed.window(TumblingEventTimeWindows.of(Duration.ofMillis(Work.WINDOW_MS))).process(new Window(dsp));
    }

    private static final class Filter extends KeyedProcessFunction<Integer, Packet, Packet> {
        private final Dsp dsp;
        private transient ValueState<float[]> filter;

        Filter(Dsp dsp) {
            this.dsp = dsp;
        }

        @Override
        public void open(OpenContext context) {
            filter = getRuntimeContext().getState(new ValueStateDescriptor<>("filter", float[].class));
        }

        @Override
        public void processElement(Packet packet, Context context, Collector<Packet> out) throws Exception {
            float[] state = filter.value();
            if (state == null) state = new float[Work.STATE];
            Packet filtered = new Packet();
            filtered.device = packet.device;
            filtered.number = packet.number;
            filtered.count = packet.count;
            filtered.arrival = packet.arrival;
            filtered.values = new float[packet.count * Work.CHANNELS];
            dsp.filter(packet.values, 0, packet.count, state, filtered.values, 0);
            filter.update(state);
            out.collect(filtered);
        }
    }

    private static final class Window extends ProcessWindowFunction<Packet, Result, Integer, TimeWindow> {
        private final Dsp dsp;
        private transient float[] samples;

        Window(Dsp dsp) {
            this.dsp = dsp;
        }

        @Override
        public void open(OpenContext context) {
            samples = new float[Work.LONGEST * Work.CHANNELS];
        }

        @Override
        public void process(Integer device, Context context, Iterable<Packet> packets, Collector<Result> out) {
            Result result = new Result();
            int filled = 0;
            for (Packet packet : packets) {
                System.arraycopy(packet.values, 0, samples, filled * Work.CHANNELS, packet.count * Work.CHANNELS);
                filled += packet.count;
                result.arrival = packet.arrival;
            }
            result.device = device;
            result.window = (int) (context.window().getStart() / Work.WINDOW_MS);
            result.features = new float[Work.FEATURES];
            dsp.features(samples, filled, result.features);
            out.collect(result);
        }
    }

    /** Hand-tuned, shuffled: one keyed function, state changed in place on the heap, a serialiser that copies in bulk. */
    private static DataStream<Result> keyed(
            StreamExecutionEnvironment env, PacketSource source, Dsp dsp, PacketSource.Pace pace) {
        env.setBufferTimeout(pace == PacketSource.Pace.NONE ? Long.getLong("bufferTimeout", 100) : 0);
        return env.fromSource(source, WatermarkStrategy.noWatermarks(), "packets", new PacketType())
                .keyBy(packet -> packet.device)
                .process(new Keyed(dsp));
    }

    private static final class Keyed extends KeyedProcessFunction<Integer, Packet, Result> {
        private final Dsp dsp;
        private transient ValueState<Device> devices;
        private transient Result result;

        Keyed(Dsp dsp) {
            this.dsp = dsp;
        }

        @Override
        public void open(OpenContext context) {
            devices = getRuntimeContext().getState(new ValueStateDescriptor<>("device", Device.class));
            result = Device.blank();
        }

        @Override
        public void processElement(Packet packet, Context context, Collector<Result> out) throws Exception {
            Device device = devices.value();
            if (device == null) devices.update(device = new Device());
            device.push(packet, dsp, result, out);
        }
    }

    /** Hand-tuned, not shuffled: source, function and sink call each other; state in an array by device, in no checkpoint. */
    private static DataStream<Result> chained(StreamExecutionEnvironment env, PacketSource source, Dsp dsp) {
        return env.fromSource(source, WatermarkStrategy.noWatermarks(), "packets", new PacketType())
                .process(new Chained(dsp));
    }

    private static final class Chained extends ProcessFunction<Packet, Result> {
        private final Dsp dsp;
        private transient Device[] devices;
        private transient Result result;

        Chained(Dsp dsp) {
            this.dsp = dsp;
        }

        @Override
        public void open(OpenContext context) {
            devices = new Device[0];
            result = Device.blank();
        }

        @Override
        public void processElement(Packet packet, Context context, Collector<Result> out) {
            if (packet.device >= devices.length) {
                devices = java.util.Arrays.copyOf(devices, Math.max(1024, 2 * packet.device));
            }
            Device device = devices[packet.device];
            if (device == null) device = devices[packet.device] = new Device();
            device.push(packet, dsp, result, out);
        }
    }
}
