package peers;

import java.io.Serializable;

/** The signal processing. Samples and state are laid out with the channels innermost. */
interface Dsp extends Serializable {
    /** Filters {@code n} samples of {@code in} from sample {@code from} into {@code out} at sample {@code at}. */
    void filter(float[] in, int from, int n, float[] state, float[] out, int at);

    /** RMS and bin powers of a window of {@code n} samples. */
    void features(float[] window, int n, float[] out);

    /** The sum of a window's features. */
    double sum(float[] features);

    /** Plain Java, channel by channel; the filter keeps a channel's whole state in registers. */
    final class Scalar implements Dsp {
        private static final int C = Work.CHANNELS;
        private final float[][] tables = {Work.table(13), Work.table(12)};

        @Override
        public void filter(float[] in, int from, int n, float[] state, float[] out, int at) {
            float[] k = Work.SECTIONS[0], l = Work.SECTIONS[1], m = Work.SECTIONS[2], o = Work.SECTIONS[3];
            for (int c = 0; c < C; c++) {
                float k1 = state[c], k2 = state[C + c], l1 = state[2 * C + c], l2 = state[3 * C + c];
                float m1 = state[4 * C + c], m2 = state[5 * C + c], o1 = state[6 * C + c], o2 = state[7 * C + c];
                int read = from * C + c, write = at * C + c;
                for (int i = 0; i < n; i++, read += C, write += C) {
                    float x = in[read];
                    float y = k[0] * x + k1;
                    k1 = k[1] * x - k[3] * y + k2;
                    k2 = k[2] * x - k[4] * y;
                    x = y;
                    y = l[0] * x + l1;
                    l1 = l[1] * x - l[3] * y + l2;
                    l2 = l[2] * x - l[4] * y;
                    x = y;
                    y = m[0] * x + m1;
                    m1 = m[1] * x - m[3] * y + m2;
                    m2 = m[2] * x - m[4] * y;
                    x = y;
                    y = o[0] * x + o1;
                    o1 = o[1] * x - o[3] * y + o2;
                    o2 = o[2] * x - o[4] * y;
                    out[write] = y;
                }
                state[c] = k1;
                state[C + c] = k2;
                state[2 * C + c] = l1;
                state[3 * C + c] = l2;
                state[4 * C + c] = m1;
                state[5 * C + c] = m2;
                state[6 * C + c] = o1;
                state[7 * C + c] = o2;
            }
        }

        @Override
        public void features(float[] window, int n, float[] out) {
            float[] table = tables[n == 13 ? 0 : 1];
            float scale = 1f / (n * n);
            for (int c = 0; c < C; c++) {
                float square = 0, sum = 0;
                for (int i = 0; i < n; i++) {
                    float x = window[i * C + c];
                    square += x * x;
                    sum += x;
                }
                out[c] = (float) Math.sqrt(square / n);
                out[C + c] = sum * sum * scale;
                for (int k = 1; k < Work.BINS; k++) {
                    float re = 0, im = 0;
                    for (int i = 0; i < n; i++) {
                        float x = window[i * C + c];
                        re += x * table[i * 12 + 2 * k - 2];
                        im += x * table[i * 12 + 2 * k - 1];
                    }
                    out[(1 + k) * C + c] = (re * re + im * im) * scale;
                }
            }
        }

        @Override
        public double sum(float[] features) {
            double a = 0, b = 0, c = 0, d = 0;
            for (int i = 0; i < features.length; i += 4) {
                a += features[i];
                b += features[i + 1];
                c += features[i + 2];
                d += features[i + 3];
            }
            return a + b + c + d;
        }
    }
}
