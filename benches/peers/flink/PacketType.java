package peers;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.apache.flink.api.common.serialization.SerializerConfig;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeutils.SimpleTypeSerializerSnapshot;
import org.apache.flink.api.common.typeutils.TypeSerializer;
import org.apache.flink.api.common.typeutils.TypeSerializerSnapshot;
import org.apache.flink.api.common.typeutils.base.TypeSerializerSingleton;
import org.apache.flink.core.memory.DataInputView;
import org.apache.flink.core.memory.DataOutputView;

/** Packets for the hand-tuned peers: written in one piece, read into one object that is used again. */
final class PacketType extends TypeInformation<Packet> {
    static final class Serializer extends TypeSerializerSingleton<Packet> {
        private static final int HEAD = 20;

        private transient ByteBuffer bytes;
        private transient Packet read;

        private ByteBuffer bytes() {
            if (bytes == null) {
                int most = HEAD + Work.LONGEST * Work.CHANNELS * Float.BYTES;
                bytes = ByteBuffer.allocate(most).order(ByteOrder.nativeOrder());
            }
            return bytes;
        }

        @Override
        public void serialize(Packet packet, DataOutputView out) throws IOException {
            ByteBuffer b = bytes();
            int floats = packet.count * Work.CHANNELS;
            b.putInt(0, packet.count).putInt(4, packet.device).putInt(8, packet.number).putLong(12, packet.arrival);
            b.position(HEAD);
            b.asFloatBuffer().put(packet.values, 0, floats);
            out.write(b.array(), 0, HEAD + floats * Float.BYTES);
        }

        @Override
        public Packet deserialize(DataInputView in) throws IOException {
            if (read == null) read = createInstance();
            return deserialize(read, in);
        }

        @Override
        public Packet deserialize(Packet packet, DataInputView in) throws IOException {
            ByteBuffer b = bytes();
            in.readFully(b.array(), 0, HEAD);
            packet.count = b.getInt(0);
            packet.device = b.getInt(4);
            packet.number = b.getInt(8);
            packet.arrival = b.getLong(12);
            int floats = packet.count * Work.CHANNELS;
            in.readFully(b.array(), HEAD, floats * Float.BYTES);
            b.position(HEAD);
            b.asFloatBuffer().get(packet.values, 0, floats);
            return packet;
        }

        @Override
        public Packet createInstance() {
            Packet packet = new Packet();
            packet.values = new float[Work.LONGEST * Work.CHANNELS];
            return packet;
        }

        @Override
        public TypeSerializerSingleton<Packet> duplicate() {
            return new Serializer();
        }

        @Override
        public boolean isImmutableType() {
            return false;
        }

        @Override
        public Packet copy(Packet from) {
            return copy(from, createInstance());
        }

        @Override
        public Packet copy(Packet from, Packet to) {
            to.device = from.device;
            to.number = from.number;
            to.count = from.count;
            to.arrival = from.arrival;
            System.arraycopy(from.values, 0, to.values, 0, from.count * Work.CHANNELS);
            return to;
        }

        @Override
        public int getLength() {
            return -1;
        }

        @Override
        public void copy(DataInputView from, DataOutputView to) throws IOException {
            serialize(deserialize(from), to);
        }

        @Override
        public TypeSerializerSnapshot<Packet> snapshotConfiguration() {
            return new Snapshot();
        }
    }

    public static final class Snapshot extends SimpleTypeSerializerSnapshot<Packet> {
        public Snapshot() {
            super(Serializer::new);
        }
    }

    @Override
    public TypeSerializer<Packet> createSerializer(SerializerConfig config) {
        return new Serializer();
    }

    @Override
    public Class<Packet> getTypeClass() {
        return Packet.class;
    }

    @Override
    public boolean isBasicType() {
        return false;
    }

    @Override
    public boolean isTupleType() {
        return false;
    }

    @Override
    public boolean isKeyType() {
        return false;
    }

    @Override
    public int getArity() {
        return 1;
    }

    @Override
    public int getTotalFields() {
        return 1;
    }

    @Override
    public boolean canEqual(Object other) {
        return other instanceof PacketType;
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof PacketType;
    }

    @Override
    public int hashCode() {
        return PacketType.class.hashCode();
    }

    @Override
    public String toString() {
        return "PacketType";
    }
}
